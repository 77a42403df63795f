package restripe.rawcoder;

import java.io.IOException;
import java.nio.ByteBuffer;
import restripe.Matrix;
import restripe.ReedSolomon;
import restripe.RestripeException;

/**
 * One raw encoder or decoder: a code that coders share, whether the coder was released, and what it
 * computed counted.
 */
public final class RawCoder {
  /** As many units as Hadoop's and Ozone's own coders take. */
  private static final int MAX_UNITS = 255;

  private final String name;
  private final ReedSolomon code;
  private volatile boolean released;

  private RawCoder(String name, int dataUnits, int parityUnits, Matrix matrix) {
    RawCoders.INSTANCE.say();
    if (dataUnits + parityUnits > MAX_UNITS) {
      throw new IllegalArgumentException(
          dataUnits + " data and " + parityUnits + " parity units, expected at most " + MAX_UNITS
              + " together");
    }
    this.name = name;
    // Readers make a decoder for every file that they open, so all have one code.
    code = ReedSolomon.shared(dataUnits, parityUnits, matrix);
  }

  /**
   * What an encoder computes with.
   *
   * @param name of the coder, for messages
   * @throws RestripeException where there is no native library; the next coder takes over then
   */
  public static RawCoder encoder(String name, int dataUnits, int parityUnits, Matrix matrix) {
    RawCoder coder = new RawCoder(name, dataUnits, parityUnits, matrix);
    RawCoders.INSTANCE.encoders.increment();
    return coder;
  }

  /** What a decoder computes with: see {@link #encoder}. */
  public static RawCoder decoder(String name, int dataUnits, int parityUnits, Matrix matrix) {
    RawCoder coder = new RawCoder(name, dataUnits, parityUnits, matrix);
    RawCoders.INSTANCE.decoders.increment();
    return coder;
  }

  /** Computes parity, in direct buffers with {@code length} bytes remaining each. */
  public void encode(ByteBuffer[] data, ByteBuffer[] parity, int length) throws IOException {
    checkOpen();
    try {
      code.encode(data, parity);
    } catch (RestripeException e) {
      throw new IOException(e);
    }
    RawCoders.INSTANCE.encoded(data.length, length);
  }

  /** Computes parity, in parts of arrays. */
  public void encode(
      byte[][] data, int[] dataOffsets, byte[][] parity, int[] parityOffsets, int length)
      throws IOException {
    checkOpen();
    try {
      code.encode(data, dataOffsets, parity, parityOffsets, length);
    } catch (RestripeException e) {
      throw new IOException(e);
    }
    RawCoders.INSTANCE.encoded(data.length, length);
  }

  /** Rebuilds units, in direct buffers with {@code length} bytes remaining each. */
  public void decode(ByteBuffer[] units, int[] erased, ByteBuffer[] outputs, int length)
      throws IOException {
    checkOpen();
    try {
      code.reconstruct(units, erased, outputs);
    } catch (RestripeException e) {
      throw new IOException(e);
    }
    RawCoders.INSTANCE.decoded(outputs.length, length);
  }

  /** Rebuilds units, in parts of arrays. */
  public void decode(
      byte[][] units, int[] unitOffsets, int[] erased, byte[][] outputs, int[] outputOffsets,
      int length)
      throws IOException {
    checkOpen();
    try {
      code.reconstruct(units, unitOffsets, erased, outputs, outputOffsets, length);
    } catch (RestripeException e) {
      throw new IOException(e);
    }
    RawCoders.INSTANCE.decoded(outputs.length, length);
  }

  /** From now on every call fails. */
  public void release() {
    released = true;
  }

  /** Hadoop's callers look for the word "closed". */
  private void checkOpen() throws IOException {
    if (released) {
      throw new IOException(name + " closed");
    }
  }
}
