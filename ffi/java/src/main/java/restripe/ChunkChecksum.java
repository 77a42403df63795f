package restripe;

import java.nio.ByteBuffer;

/**
 * The checksums of chunks, as HDFS stores them beside every block: 32 bits each, big-endian, one
 * behind the other. The last chunk of the data may be short.
 *
 * <pre>{@code
 * ChunkChecksum checksum = new ChunkChecksum(ChecksumKind.CRC32C, 512);
 * ByteBuffer sums = ByteBuffer.allocateDirect(checksum.sumsLength(data.remaining()));
 * checksum.compute(data, sums);
 * checksum.verify(data, sums);
 * }</pre>
 *
 * <p>Chunks of data in arrays are at most 65,536 bytes long, those in direct buffers 16 MiB.
 */
public final class ChunkChecksum {
  private final ChecksumKind kind;
  private final int bytesPerChecksum;

  /**
   * Checksums of a kind over chunks.
   *
   * @param bytesPerChecksum bytes in a chunk: 1 to 16,777,216
   */
  public ChunkChecksum(ChecksumKind kind, int bytesPerChecksum) {
    Native.require();
    if (bytesPerChecksum < 1 || bytesPerChecksum > 1 << 24) {
      throw new IllegalArgumentException(
          "bytes per checksum is " + bytesPerChecksum + ", expected 1 to 16777216");
    }
    this.kind = java.util.Objects.requireNonNull(kind);
    this.bytesPerChecksum = bytesPerChecksum;
  }

  /** The kind of checksum. */
  public ChecksumKind kind() {
    return kind;
  }

  /** Bytes in a chunk. */
  public int bytesPerChecksum() {
    return bytesPerChecksum;
  }

  /** Bytes that the checksums of so many bytes of data take. */
  public int sumsLength(int dataLength) {
    long chunks = ((long) dataLength + bytesPerChecksum - 1) / bytesPerChecksum;
    return Math.toIntExact(chunks * kind.size());
  }

  /** Computes the checksum of every chunk of the data into {@code sums}. */
  public void compute(ByteBuffer data, ByteBuffer sums) {
    int length = data.remaining();
    boolean direct = data.isDirect();
    long start = Call.start("data", 0, data, length, direct, false);
    long sumsStart = Call.start("checksums", 0, sums, sumsLength(length), direct, true);
    compute(
        kind.id, bytesPerChecksum, Call.memory(data, direct), start, length,
        Call.memory(sums, direct), sumsStart, direct);
  }

  /**
   * Holds every chunk of the data against its checksum.
   *
   * @throws ChecksumMismatchException for the first chunk that has another
   */
  public void verify(ByteBuffer data, ByteBuffer sums) {
    int length = data.remaining();
    boolean direct = data.isDirect();
    long start = Call.start("data", 0, data, length, direct, false);
    long sumsStart = Call.start("checksums", 0, sums, sumsLength(length), direct, false);
    verify(
        kind.id, bytesPerChecksum, Call.memory(data, direct), start, length,
        Call.memory(sums, direct), sumsStart, direct);
  }

  private static native void compute(
      int kind, int bytesPerChecksum, Object data, long start, int length, Object sums,
      long sumsStart, boolean direct);

  private static native void verify(
      int kind, int bytesPerChecksum, Object data, long start, int length, Object sums,
      long sumsStart, boolean direct);

  /** The checksum of some bytes of which {@code before} is the checksum, and these behind them. */
  static native int append(
      int kind, int before, Object data, long start, int length, boolean direct);
}
