package org.apache.hadoop.io.erasurecode.rawcoder;

import java.io.IOException;
import org.apache.hadoop.io.erasurecode.ErasureCoderOptions;
import restripe.Matrix;
import restripe.ReedSolomon;
import restripe.RestripeException;

/** A decoder of Hadoop's that computes with restripe. */
final class RestripeRawDecoder extends RawErasureDecoder {
  private final ReedSolomon code;
  private volatile boolean closed;

  RestripeRawDecoder(ErasureCoderOptions options, Matrix matrix) {
    super(options);
    code = RestripeRawCoders.code(options, matrix);
    RestripeRawCoders.INSTANCE.decoders.increment();
  }

  @Override
  protected void doDecode(ByteBufferDecodingState state) throws IOException {
    RestripeRawCoders.checkOpen(closed, this);
    try {
      code.reconstruct(state.inputs, state.erasedIndexes, state.outputs);
    } catch (RestripeException e) {
      throw new IOException(e);
    }
    RestripeRawCoders.INSTANCE.decoded(state.outputs.length, state.decodeLength);
  }

  @Override
  protected void doDecode(ByteArrayDecodingState state) throws IOException {
    RestripeRawCoders.checkOpen(closed, this);
    try {
      code.reconstruct(
          state.inputs, state.inputOffsets, state.erasedIndexes, state.outputs,
          state.outputOffsets, state.decodeLength);
    } catch (RestripeException e) {
      throw new IOException(e);
    }
    RestripeRawCoders.INSTANCE.decoded(state.outputs.length, state.decodeLength);
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
