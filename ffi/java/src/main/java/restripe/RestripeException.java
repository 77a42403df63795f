package restripe;

/**
 * What went wrong that no argument is to blame for: no native library for this machine, bytes that
 * are not what they should be, a fault of the machine, a defect of the library.
 */
public class RestripeException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** An exception with that message. */
  public RestripeException(String message) {
    super(message);
  }

  /** An exception with that message and its cause. */
  public RestripeException(String message, Throwable cause) {
    super(message, cause);
  }
}
