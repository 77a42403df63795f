package restripe;

import java.nio.ByteBuffer;

/**
 * The engine's own calls on the memory of direct buffers, many at a time without anything of Java's
 * between: for the benchmarks, with the feature {@code bench}.
 */
public final class RustCalls {
  private RustCalls() {}

  /** Encodes again and again. */
  public static void encode(ReedSolomon code, ByteBuffer[] data, ByteBuffer[] parity, int times) {
    Call call = Call.like("data shard", data, data.length + parity.length);
    call.add("data shard", data, false);
    call.add("parity shard", parity, true);
    encode(
        code.handle(), call.memory, call.starts, data.length, parity.length, call.length, times);
  }

  /** Decodes again and again, from the inputs available, asking for the plan every time. */
  public static void decode(
      ReedSolomon code, int[] available, int[] wanted, ByteBuffer[] inputs, ByteBuffer[] outputs,
      int times) {
    Call call = Call.like("input", inputs, inputs.length + outputs.length);
    call.add("input", inputs, false);
    call.add("output", outputs, true);
    decode(
        code.handle(), available, wanted, call.memory, call.starts, call.length, times);
  }

  private static native void encode(
      long handle, Object[] memory, long[] starts, int data, int parity, int length, int times);

  private static native void decode(
      long handle, int[] available, int[] wanted, Object[] memory, long[] starts, int length,
      int times);
}
