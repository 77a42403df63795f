package org.apache.ozone.erasurecode.rawcoder;

import org.apache.hadoop.hdds.client.ECReplicationConfig;
import restripe.Matrix;

/**
 * Coders for Ozone's codec {@code xor} that compute with restripe. Ozone finds the factory in
 * META-INF/services, and asks coders in the order in which it found them, native ones first; it
 * goes on with the next one where making a coder throws, as where there is no native library.
 *
 * <p>Ozone has no setting for the order. It tells native factories by this superclass.
 */
public final class RestripeXORRawErasureCoderFactory extends NativeXORRawErasureCoderFactory {
  /** The coder's name. */
  public static final String CODER_NAME = "xor_restripe_native";

  @Override
  public RawErasureEncoder createEncoder(ECReplicationConfig options) {
    return new RestripeRawEncoder(options, Matrix.XOR);
  }

  @Override
  public RawErasureDecoder createDecoder(ECReplicationConfig options) {
    return new RestripeRawDecoder(options, Matrix.XOR);
  }

  @Override
  public String getCoderName() {
    return CODER_NAME;
  }
}
