package restripe.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.io.erasurecode.ErasureCoderOptions;
import org.apache.hadoop.io.erasurecode.rawcoder.RSRawErasureCoderFactory;
import org.apache.hadoop.io.erasurecode.rawcoder.RawErasureCoderFactory;
import org.apache.hadoop.io.erasurecode.rawcoder.RawErasureDecoder;
import org.apache.hadoop.io.erasurecode.rawcoder.RawErasureEncoder;
import org.apache.hadoop.io.erasurecode.rawcoder.RestripeRawErasureCoderFactory;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import restripe.RustCalls;

/** Our coders beside Hadoop's in Java and beside the engine's own calls; RS, as Hadoop calls it. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 200, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 200, timeUnit = TimeUnit.MILLISECONDS)
@Fork(1)
public class Coders {
  /** Calls of each invocation, so that the engine's own can be many in one. */
  private static final int CALLS = 16;

  /** Data and parity units. */
  @Param({"6-3", "10-4"})
  public String code;

  /** Bytes of a unit. */
  @Param({"65536", "1048576"})
  public int length;

  /** Whose coder, and what memory. */
  @Param({"rust", "restripe", "restripe_heap", "hadoop", "hadoop_heap"})
  public String coder;

  private int dataUnits;
  private int parityUnits;
  private RawErasureEncoder encoder;
  private RawErasureDecoder decoder;
  private ByteBuffer[] units;
  private ByteBuffer[] outputs;
  private boolean rust;

  /** Makes coders and data. */
  @Setup
  public void prepare() throws IOException {
    dataUnits = Integer.parseInt(code.split("-")[0]);
    parityUnits = Integer.parseInt(code.split("-")[1]);
    ErasureCoderOptions options = new ErasureCoderOptions(dataUnits, parityUnits);
    RawErasureCoderFactory factory =
        coder.startsWith("hadoop")
            ? new RSRawErasureCoderFactory() : new RestripeRawErasureCoderFactory.RS();
    encoder = factory.createEncoder(options);
    decoder = factory.createDecoder(options);
    rust = coder.equals("rust");
    boolean heap = coder.endsWith("_heap");
    units = new ByteBuffer[dataUnits + parityUnits];
    outputs = new ByteBuffer[parityUnits];
    Random random = new Random(1);
    Arrays.setAll(units, unit -> buffer(heap));
    Arrays.setAll(outputs, unit -> buffer(heap));
    byte[] bytes = new byte[length];
    for (int unit = 0; unit < dataUnits; unit++) {
      random.nextBytes(bytes);
      units[unit].duplicate().put(bytes);
    }
    encode();
  }

  private ByteBuffer buffer(boolean heap) {
    return heap ? ByteBuffer.allocate(length) : ByteBuffer.allocateDirect(length);
  }

  /** The parity of all data. */
  @Benchmark
  @OperationsPerInvocation(CALLS)
  public void encode() throws IOException {
    ByteBuffer[] data = Arrays.copyOf(units, dataUnits);
    ByteBuffer[] parity = Arrays.copyOfRange(units, dataUnits, units.length);
    if (rust) {
      RustCalls.encode(data, parity, new int[units.length], length, CALLS);
      return;
    }
    for (int i = 0; i < CALLS; i++) {
      encoder.encode(data, parity);
      rewind(data);
    }
  }

  /** One data unit that is lost. */
  @Benchmark
  @OperationsPerInvocation(CALLS)
  public void decodeOne() throws IOException {
    decode(1);
  }

  /** As many data units as may be lost. */
  @Benchmark
  @OperationsPerInvocation(CALLS)
  public void decodeAll() throws IOException {
    decode(parityUnits);
  }

  private void decode(int losses) throws IOException {
    int[] lost = new int[losses];
    int[] available = new int[dataUnits];
    ByteBuffer[] inputs = new ByteBuffer[units.length];
    Arrays.setAll(lost, i -> i);
    Arrays.setAll(available, i -> losses + i);
    for (int unit : available) {
      inputs[unit] = units[unit];
    }
    ByteBuffer[] rebuilt = Arrays.copyOf(outputs, losses);
    if (rust) {
      RustCalls.decode(
          dataUnits, parityUnits, available, lost,
          Arrays.copyOfRange(inputs, losses, losses + dataUnits), rebuilt,
          new int[dataUnits + losses], length, CALLS);
      return;
    }
    for (int i = 0; i < CALLS; i++) {
      decoder.decode(inputs, lost, rebuilt);
      rewind(inputs);
    }
  }

  private static void rewind(ByteBuffer[] buffers) {
    for (ByteBuffer buffer : buffers) {
      if (buffer != null) {
        buffer.rewind();
      }
    }
  }
}
