package restripe.bench;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/**
 * What the contestants of {@link Coders} took: medians over the turns of an iteration, in
 * microseconds a call, and of the ratios within each turn.
 */
@State(Scope.Thread)
@AuxCounters(AuxCounters.Type.EVENTS)
public class Medians {
  /** Who computes, and in what memory. */
  enum Contestant {
    RUST,
    DIRECT,
    HEAP,
    HADOOP,
    HADOOP_HEAP
  }

  private final Map<Contestant, List<Double>> turns = new EnumMap<>(Contestant.class);

  /** Forgets the turns of the iteration before. */
  @Setup(Level.Iteration)
  public void clear() {
    for (Contestant contestant : Contestant.values()) {
      turns.put(contestant, new ArrayList<>());
    }
  }

  /** Takes down what one call took in a turn, in nanoseconds. */
  void took(Contestant contestant, double nanoseconds) {
    turns.get(contestant).add(nanoseconds);
  }

  /** The engine's own call. */
  public double rust() {
    return median(turns.get(Contestant.RUST)) / 1000;
  }

  /** Ours, direct buffers. */
  public double direct() {
    return median(turns.get(Contestant.DIRECT)) / 1000;
  }

  /** Ours, buffers on the heap. */
  public double heap() {
    return median(turns.get(Contestant.HEAP)) / 1000;
  }

  /** Hadoop's in Java, direct buffers. */
  public double hadoop() {
    return median(turns.get(Contestant.HADOOP)) / 1000;
  }

  /** Hadoop's in Java, buffers on the heap. */
  public double hadoopHeap() {
    return median(turns.get(Contestant.HADOOP_HEAP)) / 1000;
  }

  /** Ours to the engine's own call. */
  public double directToRust() {
    return ratio(Contestant.DIRECT, Contestant.RUST);
  }

  /** Buffers on the heap to direct ones. */
  public double heapToDirect() {
    return ratio(Contestant.HEAP, Contestant.DIRECT);
  }

  private double ratio(Contestant of, Contestant to) {
    List<Double> ratios = new ArrayList<>();
    for (int turn = 0; turn < turns.get(of).size(); turn++) {
      ratios.add(turns.get(of).get(turn) / turns.get(to).get(turn));
    }
    return median(ratios);
  }

  private static double median(List<Double> values) {
    return values.stream().sorted().skip(values.size() / 2).findFirst().orElse(Double.NaN);
  }
}
