package org.apache.ozone.erasurecode.rawcoder;

import java.io.IOException;
import org.apache.hadoop.hdds.client.ECReplicationConfig;
import restripe.Matrix;
import restripe.rawcoder.RawCoder;

/** An encoder of Ozone's that computes with restripe. */
final class RestripeRawEncoder extends RawErasureEncoder {
  private final RawCoder coder;

  RestripeRawEncoder(ECReplicationConfig options, Matrix matrix) {
    super(options);
    coder = RawCoder.encoder("RestripeRawEncoder", options.getData(), options.getParity(), matrix);
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
