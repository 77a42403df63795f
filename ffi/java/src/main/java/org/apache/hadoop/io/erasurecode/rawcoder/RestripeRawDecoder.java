package org.apache.hadoop.io.erasurecode.rawcoder;

import java.io.IOException;
import org.apache.hadoop.io.erasurecode.ErasureCoderOptions;
import restripe.Matrix;
import restripe.rawcoder.RawCoder;

/** A decoder of Hadoop's that computes with restripe. */
final class RestripeRawDecoder extends RawErasureDecoder {
  private final RawCoder coder;

  RestripeRawDecoder(ErasureCoderOptions options, Matrix matrix) {
    super(options);
    coder =
        RawCoder.decoder(
            "RestripeRawDecoder", options.getNumDataUnits(), options.getNumParityUnits(), matrix);
  }

  @Override
  protected void doDecode(ByteBufferDecodingState state) throws IOException {
    coder.decode(state.inputs, state.erasedIndexes, state.outputs, state.decodeLength);
  }

  @Override
  protected void doDecode(ByteArrayDecodingState state) throws IOException {
    coder.decode(
        state.inputs, state.inputOffsets, state.erasedIndexes, state.outputs, state.outputOffsets,
        state.decodeLength);
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
