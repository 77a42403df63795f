package org.apache.hadoop.io.erasurecode.rawcoder;

import java.io.IOException;
import org.apache.hadoop.io.erasurecode.ErasureCoderOptions;
import restripe.Matrix;
import restripe.rawcoder.RawCoder;

/** An encoder of Hadoop's that computes with restripe. */
final class RestripeRawEncoder extends RawErasureEncoder {
  private final RawCoder coder;

  RestripeRawEncoder(ErasureCoderOptions options, Matrix matrix) {
    super(options);
    coder =
        RawCoder.encoder(
            "RestripeRawEncoder", options.getNumDataUnits(), options.getNumParityUnits(), matrix);
  }

  @Override
  protected void doEncode(ByteBufferEncodingState state) throws IOException {
    coder.encode(state.inputs, state.outputs, state.encodeLength);
  }

  @Override
  protected void doEncode(ByteArrayEncodingState state) throws IOException {
    coder.encode(
        state.inputs, state.inputOffsets, state.outputs, state.outputOffsets, state.encodeLength);
  }

  @Override
  public boolean preferDirectBuffer() {
    return true;
  }

  @Override
  public void release() {
    coder.release();
  }
}
