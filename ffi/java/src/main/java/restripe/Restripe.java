package restripe;

/** What there is of the native engine in this virtual machine. */
public final class Restripe {
  private Restripe() {}

  /** Whether there is a native library: else every constructor throws what {@link #whyNot} says. */
  public static boolean isAvailable() {
    return Native.WHY_NOT == null;
  }

  /** Why there is no native library: what was tried and what came of it. Null where there is one. */
  public static String whyNot() {
    return Native.WHY_NOT;
  }

  /** Where the library was found: a file, or which part of the jar. */
  public static String library() {
    Native.require();
    return Native.LIBRARY;
  }

  /** The version of the native engine. */
  public static String version() {
    Native.require();
    return Native.version();
  }

  /**
   * The kernel that codes compute on: the best of this CPU, or what {@code RESTRIPE_KERNEL} in the
   * environment names.
   *
   * @throws RestripeException where that names none that this CPU has
   */
  public static String kernel() {
    Native.require();
    return Native.kernel();
  }

  /** What checksums are computed with, in words. */
  public static String checksumMethod() {
    Native.require();
    return Native.checksumMethod();
  }
}
