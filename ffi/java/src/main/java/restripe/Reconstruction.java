package restripe;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/**
 * Lost units of one block group rebuilt from live ones, round by round: while one round is read, the
 * one before is verified and decoded, and the one before that is sent.
 *
 * <p>The native state machine decides what is done when: which sources are read, what a slow or
 * failing one is replaced by, when a packet may go. {@link Sources} and {@link Targets} do it.
 *
 * <pre>{@code
 * Reconstruction reconstruction = new Reconstruction("RS-6-3-1024k", groupLength)
 *     .sources(0, 2, 3, 4, 5, 6, 8)  // units that are live, the preferred ones first
 *     .targets(1, 7);                // units to be rebuilt
 * reconstruction.run(mySources, myTargets, executor);
 * }</pre>
 *
 * <p>One of these is run once.
 */
public final class Reconstruction {
  private static final int OPEN = 1;
  private static final int LEND = 2;
  private static final int READ = 3;
  private static final int CANCEL = 4;
  private static final int CLOSE = 5;
  private static final int COMPUTE = 6;
  private static final int SEND = 7;
  private static final int FINISH_TARGET = 8;
  private static final int DROP_TARGET = 9;
  private static final int DONE = 10;

  private static final int FAILED = -2;

  /** More than any action has: a packet's parts come from few rounds. */
  private static final int MAX_NUMBERS = 1024;

  private final String policy;
  private final long groupLength;
  private int[] sources = {};
  private int[] targets = {};
  private int bufferLength = 64 << 10;
  private long maxMemory = 256L << 20;
  private long timeoutMillis = 60_000;
  private int extraSources;
  private boolean verifySources = true;
  private boolean checkComputing = true;

  /**
   * The reconstruction of units of a group.
   *
   * @param policy name of an erasure-coding policy ("RS-6-3-1024k")
   * @param groupLength bytes of data in the group
   */
  public Reconstruction(String policy, long groupLength) {
    Native.require();
    this.policy = Objects.requireNonNull(policy);
    this.groupLength = groupLength;
  }

  /** The units that are live, in order of preference; sources are named by their place here. */
  public Reconstruction sources(int... units) {
    sources = units.clone();
    return this;
  }

  /**
   * The units to be rebuilt; none named means all that are not live. Targets are named by their
   * place here, or among those, ascending.
   */
  public Reconstruction targets(int... units) {
    targets = units.clone();
    return this;
  }

  /** Bytes of each source in one round: 64 KiB unless it is said. */
  public Reconstruction bufferLength(int bytes) {
    bufferLength = bytes;
    return this;
  }

  /** Most bytes that all buffers may take: 256 MiB unless it is said. */
  public Reconstruction maxMemory(long bytes) {
    maxMemory = bytes;
    return this;
  }

  /** How long one open, one read, one acknowledgement may take: a minute unless it is said. */
  public Reconstruction timeout(long amount, TimeUnit unit) {
    timeoutMillis = unit.toMillis(amount);
    return this;
  }

  /** Sources read beyond those required, 0 to 2, to notice those that lie with right checksums. */
  public Reconstruction extraSources(int count) {
    extraSources = count;
    return this;
  }

  /** Whether what is read is held against its checksums: yes, unless it is said. */
  public Reconstruction verifySources(boolean verify) {
    verifySources = verify;
    return this;
  }

  /** Whether what is computed is checked by a second computation: yes, unless it is said. */
  public Reconstruction checkComputing(boolean check) {
    checkComputing = check;
    return this;
  }

  /** The live blocks. Methods may be called by any thread of the executor; for one source only one. */
  public interface Sources {
    /** Opens a source; its checksums. */
    ChunkChecksum open(int source) throws IOException;

    /**
     * Reads data and the checksums of its chunks into direct buffers.
     *
     * @param offset first byte in the block: the start of a chunk
     * @param data to be filled from its position to its limit
     * @param checksums to be filled likewise; empty where none are wanted
     * @return how many bytes of data came; fewer than there is room for where the block ends
     */
    int read(int source, long offset, ByteBuffer data, ByteBuffer checksums) throws IOException;

    /**
     * What is being read of the source is no longer needed: the read may end with any exception.
     * Called while it is under way.
     */
    default void cancel(int source) {}

    /** The source is not asked for anything any more. Called once for each that was opened. */
    void close(int source);
  }

  /** Where rebuilt blocks go. For one target only one method is called at a time. */
  public interface Targets {
    /**
     * Sends a packet. When the target acknowledges it, at once or later and from any thread, {@link
     * Packet#acknowledge} is called.
     */
    void send(Packet packet) throws IOException;

    /** The target has acknowledged everything: its block is rebuilt. */
    default void finish(int target) {}

    /** The target has failed, or is no longer wanted. */
    default void drop(int target) {}
  }

  /** A packet as HDFS sends it. Its buffers are valid until {@link Targets#send} returns. */
  public static final class Packet {
    private final Run run;
    private final int target;
    private final long seqno;
    private final long offset;
    private final boolean isLast;
    private final ByteBuffer head;
    private final List<ByteBuffer> data;

    private Packet(
        Run run, int target, long seqno, long offset, boolean isLast, ByteBuffer head,
        List<ByteBuffer> data) {
      this.run = run;
      this.target = target;
      this.seqno = seqno;
      this.offset = offset;
      this.isLast = isLast;
      this.head = head;
      this.data = data;
    }

    /** Which of the targets it is for. */
    public int target() {
      return target;
    }

    /** Its number. */
    public long seqno() {
      return seqno;
    }

    /** Where in the block its data begins. */
    public long offset() {
      return offset;
    }

    /** Whether it ends the block; it has no data then. */
    public boolean isLast() {
      return isLast;
    }

    /** Header and checksums, as they go over the wire before the data. */
    public ByteBuffer head() {
      return head.duplicate();
    }

    /** The data, in parts that follow each other: direct buffers. */
    public List<ByteBuffer> data() {
      return data;
    }

    /** The target has stored the packet. */
    public void acknowledge() {
      run.happened(() -> acked(run.handle, target, seqno));
    }

    /** The target reports a failure. */
    public void refuse(String why) {
      run.happened(() -> targetFailed(run.handle, target, why));
    }
  }

  /**
   * Rebuilds the units, and returns when that has ended and nothing is under way any more.
   *
   * @param executor runs what may block or takes long: as many threads as sources and targets are
   *     enough, fewer are slower. Never the calling thread
   * @return for every target null, or why it is not rebuilt
   * @throws IOException when it fails: what failed, with every source and target given up
   * @throws IllegalArgumentException for sources that do not give back the targets, and the like
   */
  public String[] run(Sources sources, Targets targets, Executor executor)
      throws IOException, InterruptedException {
    long[] options = {
      bufferLength, maxMemory, timeoutMillis, timeoutMillis, timeoutMillis, extraSources,
      verifySources ? 1 : 0, checkComputing ? 1 : 0, ThreadLocalRandom.current().nextLong()
    };
    long handle = open(policy, groupLength, this.sources, this.targets, options);
    try {
      return new Run(handle, sources, targets, executor).toItsEnd();
    } finally {
      close(handle);
    }
  }

  /** One run: actions are carried out by the executor, what comes of them is told by this thread. */
  private static final class Run {
    final long handle;
    private final Sources sources;
    private final Targets targets;
    private final Executor executor;
    private final LinkedBlockingQueue<Runnable> events = new LinkedBlockingQueue<>();
    private final Map<Integer, ByteBuffer> buffers = new HashMap<>();
    private final Map<Long, Integer> reading = new HashMap<>();
    private final Map<Integer, Lane> lanes = new HashMap<>();
    private final long[] numbers = new long[MAX_NUMBERS];
    /** Tasks of the executor that have not told what came of them. */
    private int underWay;
    private boolean isDone;
    /** What a callback has thrown that it may not throw. */
    private Throwable defect;

    Run(long handle, Sources sources, Targets targets, Executor executor) {
      this.handle = handle;
      this.sources = sources;
      this.targets = targets;
      this.executor = executor;
    }

    String[] toItsEnd() throws IOException, InterruptedException {
      InterruptedException interrupted = null;
      while (true) {
        for (int action = poll(handle, numbers); action != 0; action = poll(handle, numbers)) {
          carryOut(action);
        }
        if (isDone && underWay == 0) {
          break;
        }
        try {
          long wait = isDone ? -1 : timeout(handle);
          Runnable event = wait < 0 ? events.take() : events.poll(wait, TimeUnit.NANOSECONDS);
          if (event == null) {
            timer(handle);
          } else {
            event.run();
          }
        } catch (InterruptedException e) {
          // What is under way has to come home first.
          interrupted = e;
          cancel(handle);
        }
      }
      if (interrupted != null) {
        throw interrupted;
      }
      if (defect instanceof Error) {
        throw (Error) defect;
      }
      if (defect != null) {
        throw (RuntimeException) defect;
      }
      String failure = failure(handle);
      if (failure != null) {
        throw new IOException(failure);
      }
      String[] results = new String[targets(handle).length];
      for (int target = 0; target < results.length; target++) {
        results[target] = targetFailure(handle, target);
      }
      return results;
    }

    /** Something happened, on whatever thread. */
    void happened(Runnable event) {
      events.add(event);
    }

    private void carryOut(int action) {
      long token = numbers[0];
      int number = (int) numbers[0];
      switch (action) {
        case OPEN:
          open(token, (int) numbers[1]);
          break;
        case LEND:
          for (int i = 0; i < numbers[0]; i++) {
            ByteBuffer buffer = ByteBuffer.allocateDirect((int) numbers[1]);
            buffers.put(buffers.size(), buffer);
            lend(handle, buffers.size() - 1, buffer);
          }
          break;
        case READ:
          read(token);
          break;
        case CANCEL:
          Integer source = reading.get(token);
          if (source != null) {
            sources.cancel(source);
          }
          break;
        case CLOSE:
          lane(number).add(() -> sources.close(number));
          break;
        case COMPUTE:
          start(executor, () -> {
            compute(handle, token);
            return () -> {};
          });
          break;
        case SEND:
          send(token);
          break;
        case FINISH_TARGET:
          lane(-1 - number).add(() -> targets.finish(number));
          break;
        case DROP_TARGET:
          lane(-1 - number).add(() -> targets.drop(number));
          break;
        case DONE:
          isDone = true;
          break;
        default:
          throw new AssertionError("action " + action);
      }
    }

    private void open(long token, int source) {
      start(lane(source), () -> {
        try {
          ChunkChecksum checksum = sources.open(source);
          return () -> opened(handle, token, checksum.kind().id, checksum.bytesPerChecksum());
        } catch (IOException | RuntimeException e) {
          return () -> openFailed(handle, token, e.toString());
        }
      });
    }

    private void read(long token) {
      int source = (int) numbers[1];
      long offset = numbers[2];
      int length = (int) numbers[3];
      ByteBuffer buffer = buffers.get((int) numbers[4]);
      ByteBuffer data = part(buffer, 0, length);
      ByteBuffer sums = part(buffer, (int) numbers[5], (int) numbers[6]);
      reading.put(token, source);
      start(lane(source), () -> {
        int bytes;
        String why = null;
        try {
          bytes = Math.min(length, sources.read(source, offset, data, sums));
        } catch (IOException | RuntimeException e) {
          bytes = FAILED;
          why = e.toString();
        }
        int came = bytes < 0 ? FAILED : bytes;
        String failure = came == FAILED && why == null ? "read returned " + bytes : why;
        return () -> {
          reading.remove(token);
          Reconstruction.read(handle, token, came, failure);
        };
      });
    }

    private void send(long key) {
      int target = (int) numbers[1];
      int count = (int) numbers[7];
      List<ByteBuffer> data = new ArrayList<>(count);
      for (int i = 0; i < count; i++) {
        int at = 8 + 3 * i;
        ByteBuffer buffer = buffers.get((int) numbers[at]);
        data.add(part(buffer, (int) numbers[at + 1], (int) numbers[at + 2]).asReadOnlyBuffer());
      }
      ByteBuffer head = ByteBuffer.wrap(head(handle, key)).asReadOnlyBuffer();
      Packet packet =
          new Packet(this, target, numbers[2], numbers[3], numbers[5] != 0, head, data);
      start(lane(-1 - target), () -> {
        try {
          targets.send(packet);
          return () -> sent(handle, key);
        } catch (IOException | RuntimeException e) {
          return () -> {
            sent(handle, key);
            targetFailed(handle, target, e.toString());
          };
        }
      });
    }

    private static ByteBuffer part(ByteBuffer buffer, int start, int length) {
      ByteBuffer part = buffer.duplicate();
      part.limit(start + length).position(start);
      return part.slice();
    }

    /** What a task does on a thread of the executor; what it gives is done on the thread of run. */
    private interface Task {
      Runnable run();
    }

    private void start(Executor where, Task task) {
      underWay++;
      where.execute(() -> {
        Runnable event;
        try {
          event = task.run();
        } catch (RuntimeException | Error e) {
          // A defect of the caller's: it ends the run, which throws it.
          event = () -> {
            defect = e;
            cancel(handle);
          };
        }
        Runnable told = event;
        happened(() -> {
          underWay--;
          told.run();
        });
      });
    }

    private Lane lane(int key) {
      return lanes.computeIfAbsent(key, ignored -> new Lane());
    }

    /** Runs what concerns one source, or one target, one after the other. */
    private final class Lane implements Executor {
      private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();
      private boolean isBusy;

      /** A call of which nothing is expected. */
      void add(Runnable call) {
        start(this, () -> {
          call.run();
          return () -> {};
        });
      }

      @Override
      public void execute(Runnable task) {
        synchronized (waiting) {
          waiting.add(task);
          if (isBusy) {
            return;
          }
          isBusy = true;
        }
        executor.execute(this::runAll);
      }

      private void runAll() {
        while (true) {
          Runnable task;
          synchronized (waiting) {
            task = waiting.poll();
            if (task == null) {
              isBusy = false;
              return;
            }
          }
          task.run();
        }
      }
    }
  }

  private static native long open(
      String policy, long groupLength, int[] sources, int[] targets, long[] options);

  private static native void close(long handle);

  private static native int[] targets(long handle);

  private static native int poll(long handle, long[] out);

  private static native long timeout(long handle);

  private static native void opened(long handle, long token, int kind, int bytesPerChecksum);

  private static native void openFailed(long handle, long token, String message);

  private static native void lend(long handle, int number, ByteBuffer buffer);

  private static native void read(long handle, long token, int bytes, String failure);

  private static native void compute(long handle, long job);

  private static native byte[] head(long handle, long packet);

  private static native void sent(long handle, long packet);

  private static native void acked(long handle, int target, long seqno);

  private static native void targetFailed(long handle, int target, String message);

  private static native void timer(long handle);

  private static native void cancel(long handle);

  private static native String failure(long handle);

  private static native String targetFailure(long handle, int target);
}
