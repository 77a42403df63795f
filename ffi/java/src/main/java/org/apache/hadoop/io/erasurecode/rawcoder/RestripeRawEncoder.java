package org.apache.hadoop.io.erasurecode.rawcoder;

import java.io.IOException;
import org.apache.hadoop.io.erasurecode.ErasureCoderOptions;
import restripe.Matrix;
import restripe.ReedSolomon;
import restripe.RestripeException;

/** An encoder of Hadoop's that computes with restripe. */
final class RestripeRawEncoder extends RawErasureEncoder {
  private final ReedSolomon code;
  private volatile boolean closed;

  RestripeRawEncoder(ErasureCoderOptions options, Matrix matrix) {
    super(options);
    code = RestripeRawCoders.code(options, matrix);
    RestripeRawCoders.INSTANCE.encoders.increment();
  }

  @Override
  protected void doEncode(ByteBufferEncodingState state) throws IOException {
    RestripeRawCoders.checkOpen(closed, this);
    try {
      code.encode(state.inputs, state.outputs);
    } catch (RestripeException e) {
      throw new IOException(e);
    }
    RestripeRawCoders.INSTANCE.encoded(state.inputs.length, state.encodeLength);
  }

  @Override
  protected void doEncode(ByteArrayEncodingState state) throws IOException {
    RestripeRawCoders.checkOpen(closed, this);
    try {
      code.encode(
          state.inputs, state.inputOffsets, state.outputs, state.outputOffsets,
          state.encodeLength);
    } catch (RestripeException e) {
      throw new IOException(e);
    }
    RestripeRawCoders.INSTANCE.encoded(state.inputs.length, state.encodeLength);
  }

  @Override
  public boolean preferDirectBuffer() {
    return true;
  }

  @Override
  public void release() {
    closed = true;
  }
}
