package restripe.bench;

import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.util.DataChecksum;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import restripe.ChecksumKind;
import restripe.ChunkChecksum;

/** CRC-32C of chunks of 512 bytes: ours, and Hadoop's DataChecksum over java.util.zip.CRC32C. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 200, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 200, timeUnit = TimeUnit.MILLISECONDS)
@Fork(1)
public class Checksums {
  private static final int CHUNK = 512;

  /** Bytes of data. */
  @Param({"65536", "1048576"})
  public int length;

  /** Where the data lies. */
  @Param({"direct", "heap"})
  public String memory;

  private final DataChecksum hadoop =
      DataChecksum.newDataChecksum(DataChecksum.Type.CRC32C, CHUNK);
  private final ChunkChecksum restripe = new ChunkChecksum(ChecksumKind.CRC32C, CHUNK);
  private ByteBuffer data;
  private ByteBuffer sums;

  /** Makes the data. */
  @Setup
  public void prepare() {
    boolean heap = memory.equals("heap");
    int sumsLength = restripe.sumsLength(length);
    data = heap ? ByteBuffer.allocate(length) : ByteBuffer.allocateDirect(length);
    sums = heap ? ByteBuffer.allocate(sumsLength) : ByteBuffer.allocateDirect(sumsLength);
  }

  /** Ours. */
  @Benchmark
  public void restripe() {
    restripe.compute(data, sums);
  }

  /** Hadoop's. */
  @Benchmark
  public void hadoop() {
    hadoop.calculateChunkedSums(data, sums);
  }
}
