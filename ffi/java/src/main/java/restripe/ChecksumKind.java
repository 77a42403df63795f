package restripe;

/** Which checksum stands for a chunk; the numbers are those of HDFS. */
public enum ChecksumKind {
  /** None: nothing is stored and nothing verified. */
  NULL(0, 0),
  /** CRC-32/ISO-HDLC, that of {@link java.util.zip.CRC32}. */
  CRC32(1, 4),
  /** CRC-32/ISCSI, Castagnoli's: HDFS's default. */
  CRC32C(2, 4);

  final int id;
  private final int size;

  ChecksumKind(int id, int size) {
    this.id = id;
    this.size = size;
  }

  /** Bytes that one checksum takes. */
  public int size() {
    return size;
  }
}
