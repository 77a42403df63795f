package restripe;

/** A chunk does not have the checksum that it should have. */
public final class ChecksumMismatchException extends RestripeException {
  private static final long serialVersionUID = 1;

  private final int unit;
  private final long chunk;
  private final long offset;
  private final int expected;
  private final int found;

  ChecksumMismatchException(
      String message, int unit, long chunk, long offset, int expected, int found) {
    super(message);
    this.unit = unit;
    this.chunk = chunk;
    this.offset = offset;
    this.expected = expected;
    this.found = found;
  }

  /** The unit whose chunk it is, or -1 where data of no unit was verified. */
  public int unit() {
    return unit;
  }

  /** Which chunk of the data it is, from 0. */
  public long chunk() {
    return chunk;
  }

  /** The chunk's first byte in the data. */
  public long offset() {
    return offset;
  }

  /** The checksum that was stored. */
  public int expected() {
    return expected;
  }

  /** The checksum of the bytes as they are. */
  public int found() {
    return found;
  }
}
