package restripe.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
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
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import restripe.Matrix;
import restripe.ReedSolomon;
import restripe.RustCalls;

/**
 * Our coders beside the engine's own calls and beside Hadoop's in Java; RS, as Hadoop calls it.
 *
 * <p>An invocation is one turn of all of them, there and back again, so that what else the machine
 * does meets all. The engine's calls and ours with direct buffers work on the same ones: which
 * pages a buffer happens to lie on decides more than what is to be measured. What counts are the
 * {@link Medians}, not the time of an invocation.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 2, time = 1)
// One iteration: JMH adds up what further ones count.
@Measurement(iterations = 1, time = 5)
@Fork(1)
public class Coders {
  /** Bytes of a unit that a contestant goes through in a turn. */
  private static final int BYTES = 16 << 20;

  /** Data and parity units. */
  @Param({"6-3", "10-4"})
  public String code;

  /** Bytes of a unit. */
  @Param({"65536", "1048576"})
  public int length;

  /** Whether Hadoop's coders take part, which are so slow that there are few turns then. */
  @Param("true")
  public boolean hadoop;

  private int dataUnits;
  private int parityUnits;
  private int calls;
  private int turns;
  private ReedSolomon rust;
  private Coder restripe;
  private Coder java;
  private Buffers direct;
  private Buffers heap;

  /** An encoder and a decoder. */
  private static final class Coder {
    final RawErasureEncoder encoder;
    final RawErasureDecoder decoder;

    Coder(RawErasureCoderFactory factory, ErasureCoderOptions options) {
      encoder = factory.createEncoder(options);
      decoder = factory.createDecoder(options);
    }
  }

  /** All units, and room for those that are rebuilt. */
  private final class Buffers {
    final ByteBuffer[] data = new ByteBuffer[dataUnits];
    final ByteBuffer[] parity = new ByteBuffer[parityUnits];
    final ByteBuffer[] outputs = new ByteBuffer[parityUnits];

    Buffers(IntFunction<ByteBuffer> allocate) throws IOException {
      Random random = new Random(1);
      byte[] bytes = new byte[length];
      Arrays.setAll(data, unit -> allocate.apply(length));
      Arrays.setAll(parity, unit -> allocate.apply(length));
      Arrays.setAll(outputs, unit -> allocate.apply(length));
      for (ByteBuffer buffer : data) {
        random.nextBytes(bytes);
        buffer.duplicate().put(bytes);
      }
      restripe.encoder.encode(data, parity);
      rewind(data);
    }

    /** What a decoder is given when the first data units are lost: nothing that it does not need. */
    ByteBuffer[] inputs(int losses) {
      ByteBuffer[] inputs = Arrays.copyOf(data, dataUnits + parityUnits);
      Arrays.fill(inputs, 0, losses, null);
      System.arraycopy(parity, 0, inputs, dataUnits, losses);
      return inputs;
    }
  }

  /** Something that is done so many times. */
  private interface Call {
    void times(int times) throws IOException;
  }

  /** Makes coders and data. */
  @Setup
  public void prepare() throws IOException {
    dataUnits = Integer.parseInt(code.split("-")[0]);
    parityUnits = Integer.parseInt(code.split("-")[1]);
    calls = Math.max(1, BYTES / length);
    ErasureCoderOptions options = new ErasureCoderOptions(dataUnits, parityUnits);
    rust = ReedSolomon.shared(dataUnits, parityUnits, Matrix.CAUCHY);
    restripe = new Coder(new RestripeRawErasureCoderFactory.RS(), options);
    java = new Coder(new RSRawErasureCoderFactory(), options);
    direct = new Buffers(ByteBuffer::allocateDirect);
    heap = new Buffers(ByteBuffer::allocate);
  }

  /** The parity of all data. */
  @Benchmark
  public void encode(Medians medians) throws IOException {
    turn(
        medians,
        times -> RustCalls.encode(rust, direct.data, direct.parity, times),
        times -> encode(restripe, direct, times),
        times -> encode(restripe, heap, times),
        times -> encode(java, direct, times),
        times -> encode(java, heap, times));
  }

  /** One data unit that is lost. */
  @Benchmark
  public void decodeOne(Medians medians) throws IOException {
    decode(medians, 1);
  }

  /** As many data units as may be lost. */
  @Benchmark
  public void decodeAll(Medians medians) throws IOException {
    decode(medians, parityUnits);
  }

  private void decode(Medians medians, int losses) throws IOException {
    int[] lost = new int[losses];
    int[] available = new int[dataUnits];
    Arrays.setAll(lost, i -> i);
    Arrays.setAll(available, i -> losses + i);
    ByteBuffer[] inputs = direct.inputs(losses);
    ByteBuffer[] read = Arrays.copyOfRange(inputs, losses, losses + dataUnits);
    ByteBuffer[] outputs = Arrays.copyOf(direct.outputs, losses);
    ByteBuffer[] heapInputs = heap.inputs(losses);
    ByteBuffer[] heapOutputs = Arrays.copyOf(heap.outputs, losses);
    turn(
        medians,
        times -> RustCalls.decode(rust, available, lost, read, outputs, times),
        times -> decode(restripe, inputs, lost, outputs, times),
        times -> decode(restripe, heapInputs, lost, heapOutputs, times),
        times -> decode(java, inputs, lost, outputs, times),
        times -> decode(java, heapInputs, lost, heapOutputs, times));
  }

  /** Lets every contestant do its calls, and again in the other order. Every turn begins elsewhere. */
  private void turn(Medians medians, Call... contestants) throws IOException {
    Medians.Contestant[] all = Medians.Contestant.values();
    int count = hadoop ? all.length : Medians.Contestant.HADOOP.ordinal();
    double[] took = new double[count];
    for (int step = 0; step < 2 * count; step++) {
      int number = ((step < count ? step : 2 * count - 1 - step) + turns) % count;
      boolean slow = number >= Medians.Contestant.HADOOP.ordinal();
      int times = slow ? 1 : calls;
      if (!slow) {
        // So that all find their buffers in the caches, as far as they fit.
        contestants[number].times(1);
      }
      long begin = System.nanoTime();
      contestants[number].times(times);
      took[number] += (System.nanoTime() - begin) / (2.0 * times);
    }
    turns++;
    for (int number = 0; number < count; number++) {
      medians.took(all[number], took[number]);
    }
  }

  private static void encode(Coder coder, Buffers buffers, int times) throws IOException {
    for (int i = 0; i < times; i++) {
      coder.encoder.encode(buffers.data, buffers.parity);
      rewind(buffers.data);
    }
  }

  private static void decode(
      Coder coder, ByteBuffer[] inputs, int[] lost, ByteBuffer[] outputs, int times)
      throws IOException {
    for (int i = 0; i < times; i++) {
      coder.decoder.decode(inputs, lost, outputs);
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
