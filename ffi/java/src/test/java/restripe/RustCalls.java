package restripe;

/** The engine's own calls, many at a time: for the benchmarks, with the feature {@code bench}. */
public final class RustCalls {
  static {
    Native.require();
  }

  private RustCalls() {}

  /** Encodes direct buffers again and again. */
  public static native void encode(
      Object[] data, Object[] parity, int[] positions, int length, int times);

  /** Decodes direct buffers again and again, planning every time. */
  public static native void decode(
      int dataUnits, int parityUnits, int[] available, int[] wanted, Object[] inputs,
      Object[] outputs, int[] positions, int length, int times);
}
