package org.apache.hadoop.io.erasurecode.rawcoder;

import org.apache.hadoop.io.erasurecode.ErasureCodeConstants;
import org.apache.hadoop.io.erasurecode.ErasureCoderOptions;
import restripe.Matrix;

/**
 * Coders for one of Hadoop's codecs that compute with restripe. Hadoop finds the factories in
 * META-INF/services and uses those that {@code io.erasurecode.codec.CODEC.rawcoders} names.
 *
 * <p>Where there is no native library, making a coder throws, and Hadoop goes on with the next name
 * of that list.
 */
public abstract class RestripeRawErasureCoderFactory implements RawErasureCoderFactory {
  /**
   * What the name of a codec is followed by in the name of its coder. With "native" in it, Hadoop's
   * switch for native coders is one for these, too.
   */
  public static final String CODER_SUFFIX = "_restripe_native";

  private final String codec;
  private final Matrix matrix;

  RestripeRawErasureCoderFactory(String codec, Matrix matrix) {
    this.codec = codec;
    this.matrix = matrix;
  }

  @Override
  public RawErasureEncoder createEncoder(ErasureCoderOptions options) {
    return new RestripeRawEncoder(options, matrix);
  }

  @Override
  public RawErasureDecoder createDecoder(ErasureCoderOptions options) {
    return new RestripeRawDecoder(options, matrix);
  }

  @Override
  public String getCoderName() {
    return codec + CODER_SUFFIX;
  }

  @Override
  public String getCodecName() {
    return codec;
  }

  /** For the codec {@code rs}. */
  public static final class RS extends RestripeRawErasureCoderFactory {
    /** For the service loader. */
    public RS() {
      super(ErasureCodeConstants.RS_CODEC_NAME, Matrix.CAUCHY);
    }
  }

  /** For the codec {@code rs-legacy}. */
  public static final class RSLegacy extends RestripeRawErasureCoderFactory {
    /** For the service loader. */
    public RSLegacy() {
      super(ErasureCodeConstants.RS_LEGACY_CODEC_NAME, Matrix.RS_LEGACY);
    }
  }

  /** For the codec {@code xor}. */
  public static final class XOR extends RestripeRawErasureCoderFactory {
    /** For the service loader. */
    public XOR() {
      super(ErasureCodeConstants.XOR_CODEC_NAME, Matrix.XOR);
    }
  }
}
