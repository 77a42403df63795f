package restripe;

/** The native library: found and loaded when this class is first used, or known not to be there. */
final class Native {
  /** Number of the interface between these classes and the library: both must have the same. */
  static final int INTERFACE = 2;

  /** Where the library was found; null where there is none. */
  static final String LIBRARY;

  /** Why there is no library; null where there is one. */
  static final String WHY_NOT;

  static {
    Loader loader = new Loader();
    LIBRARY = loader.load();
    WHY_NOT = LIBRARY == null ? loader.whyNot() : null;
  }

  private Native() {}

  /** Throws unless there is a library. */
  static void require() {
    if (WHY_NOT != null) {
      throw new RestripeException(WHY_NOT);
    }
  }

  static native int interfaceVersion();

  static native String version();

  static native String kernel();

  static native String checksumMethod();

  /** Where a direct buffer lies, by JNI; 0 where it cannot say. */
  static native long address(Object buffer);

  /** Goes wrong natively, with that message. */
  static native void panic(String message);
}
