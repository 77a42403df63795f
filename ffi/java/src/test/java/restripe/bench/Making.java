package restripe.bench;

import java.util.concurrent.TimeUnit;
import org.apache.hadoop.io.erasurecode.ErasureCoderOptions;
import org.apache.hadoop.io.erasurecode.rawcoder.RSRawErasureCoderFactory;
import org.apache.hadoop.io.erasurecode.rawcoder.RawErasureCoderFactory;
import org.apache.hadoop.io.erasurecode.rawcoder.RawErasureDecoder;
import org.apache.hadoop.io.erasurecode.rawcoder.RestripeRawErasureCoderFactory;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** What making a decoder costs: Hadoop makes one for every file that is opened. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 200, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 200, timeUnit = TimeUnit.MILLISECONDS)
@Fork(1)
public class Making {
  private final ErasureCoderOptions options = new ErasureCoderOptions(6, 3);
  private final RawErasureCoderFactory restripe = new RestripeRawErasureCoderFactory.RS();
  private final RawErasureCoderFactory hadoop = new RSRawErasureCoderFactory();

  /** Ours. */
  @Benchmark
  public RawErasureDecoder restripe() {
    return restripe.createDecoder(options);
  }

  /** Hadoop's. */
  @Benchmark
  public RawErasureDecoder hadoop() {
    return hadoop.createDecoder(options);
  }
}
