package restripe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** What callers do wrong ends as an exception that says what was wrong, never otherwise. */
class MisuseTest {
  private static final MemoryKind DIRECT = MemoryKind.DIRECT;
  private static final MemoryKind HEAP = MemoryKind.HEAP;

  @Test
  void whatIsClosedSaysSo() {
    ReedSolomon code = new ReedSolomon(3, 2);
    Plan plan = code.plan(new int[] {0, 1, 3}, new int[] {2});
    code.close();
    code.close();
    // The next object may get the place of the one that was closed.
    try (ReedSolomon other = new ReedSolomon(4, 2)) {
      IllegalStateException closed =
          assertThrows(
              IllegalStateException.class,
              () -> code.encode(DIRECT.buffers(3, 8), DIRECT.buffers(2, 8)));
      assertEquals("this ReedSolomon is closed", closed.getMessage());
      assertThrows(
          IllegalStateException.class, () -> code.plan(new int[] {0, 1, 2}, new int[] {3}));
      other.encode(DIRECT.buffers(4, 8), DIRECT.buffers(2, 8));
    }
    plan.apply(DIRECT.buffers(3, 8), DIRECT.buffers(1, 8));
    plan.close();
    plan.close();
    IllegalStateException closed = assertThrows(IllegalStateException.class, plan::reads);
    assertEquals("this Plan is closed", closed.getMessage());
  }

  @Test
  void manyThreadsUseAndCloseOneObject() throws InterruptedException {
    AtomicInteger encoded = new AtomicInteger();
    List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
    for (int round = 0; round < 30; round++) {
      ReedSolomon code = new ReedSolomon(6, 3);
      List<Thread> threads = new ArrayList<>();
      for (int number = 0; number < 4; number++) {
        boolean closes = number == 0;
        threads.add(new Thread(() -> {
          ByteBuffer[] data = DIRECT.buffers(6, 4096);
          ByteBuffer[] parity = DIRECT.buffers(3, 4096);
          try {
            for (int i = 0; closes ? i < 20 : i < 100_000; i++) {
              code.encode(data, parity);
              encoded.incrementAndGet();
            }
          } catch (IllegalStateException e) {
            return;
          } catch (Throwable e) {
            failures.add(e);
          }
          code.close();
        }));
      }
      threads.forEach(Thread::start);
      for (Thread thread : threads) {
        thread.join();
      }
    }
    assertEquals(Collections.emptyList(), failures);
    assertTrue(encoded.get() >= 30 * 20, "encoded " + encoded);
  }

  @Test
  void whatNobodyClosesIsClosedAsGarbage() throws InterruptedException {
    // Some 3 GiB if nothing were given back.
    for (int i = 0; i < 20_000; i++) {
      new ReedSolomon(128, 128);
      if (i % 2000 == 0) {
        System.gc();
        Thread.sleep(10);
      }
    }
    assertTrue(residentBytes() < 2L << 30, "resident " + residentBytes());
  }

  private static long residentBytes() {
    try {
      String statm = new String(
          java.nio.file.Files.readAllBytes(java.nio.file.Paths.get("/proc/self/statm")));
      return Long.parseLong(statm.split(" ")[1]) * 4096;
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void aSharedCodeStaysOpen() {
    ReedSolomon code = ReedSolomon.shared(6, 3, Matrix.CAUCHY);
    code.close();
    assertSame(code, ReedSolomon.shared(6, 3, Matrix.CAUCHY));
    code.encode(DIRECT.buffers(6, 8), DIRECT.buffers(3, 8));
  }

  @Test
  void countsAndLengthsAreChecked() {
    try (ReedSolomon code = new ReedSolomon(3, 2)) {
      for (MemoryKind memory : MemoryKind.values()) {
        refuses("2 data shards, expected 3",
            () -> code.encode(memory.buffers(2, 8), memory.buffers(2, 8)));
        refuses("3 parity shards, expected 2",
            () -> code.encode(memory.buffers(3, 8), memory.buffers(3, 8)));
        ByteBuffer[] data = memory.buffers(3, 8);
        data[1] = memory.buffer(9);
        refuses("data shard 1 has 9 bytes, expected 8",
            () -> code.encode(data, memory.buffers(2, 8)));
        ByteBuffer[] parity = memory.buffers(2, 8);
        parity[1] = memory.buffer(0);
        refuses("parity shard 1 has 0 bytes, expected 8",
            () -> code.encode(memory.buffers(3, 8), parity));
        refuses("4 shards, expected 5",
            () -> code.reconstruct(
                memory.buffers(4, 8), new int[] {0}, memory.buffers(1, 8)));
        refuses("2 outputs, expected 1",
            () -> code.reconstruct(
                memory.buffers(5, 8), new int[] {0}, memory.buffers(2, 8)));
        ByteBuffer[] missing = memory.buffers(3, 8);
        missing[2] = null;
        NullPointerException none =
            assertThrows(
                NullPointerException.class, () -> code.encode(missing, memory.buffers(2, 8)));
        assertEquals("data shard 2 is null", none.getMessage());
      }
      refuses("600 buffers, expected at most 512",
          () -> code.encode(DIRECT.buffers(300, 1), DIRECT.buffers(300, 1)));
    }
  }

  @Test
  void buffersAreOfOneSort() {
    try (ReedSolomon code = new ReedSolomon(3, 2)) {
      refuses("parity shard 0 is on the heap",
          () -> code.encode(DIRECT.buffers(3, 8), HEAP.buffers(2, 8)));
      refuses("parity shard 0 is a direct buffer",
          () -> code.encode(HEAP.buffers(3, 8), DIRECT.buffers(2, 8)));
      ByteBuffer[] readOnly = HEAP.buffers(3, 8);
      readOnly[1] = readOnly[1].asReadOnlyBuffer();
      refuses("data shard 1 is read-only", () -> code.encode(readOnly, HEAP.buffers(2, 8)));
      ByteBuffer[] parity = DIRECT.buffers(2, 8);
      parity[1] = parity[1].asReadOnlyBuffer();
      assertThrows(
          ReadOnlyBufferException.class, () -> code.encode(DIRECT.buffers(3, 8), parity));
    }
  }

  @Test
  void offsetsLieWithinTheirArrays() {
    try (ReedSolomon code = new ReedSolomon(1, 1)) {
      byte[][] array = {new byte[100]};
      for (int wrong : new int[] {-1, 1, 100, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
        refuses("data shard 0 is to be used from " + wrong + " for 100 bytes, and has 100",
            () -> code.encode(
                array, new int[] {wrong}, new byte[1][100], new int[1], 100));
        refuses("parity shard 0 is to be used from " + wrong + " for 100 bytes, and has 100",
            () -> code.encode(
                array, new int[1], new byte[1][100], new int[] {wrong}, 100));
      }
      refuses("number of bytes is -1",
          () -> code.encode(array, new int[1], new byte[1][100], new int[1], -1));
      refuses("2 offsets of data shards, expected 1",
          () -> code.encode(array, new int[2], new byte[1][100], new int[1], 1));
    }
  }

  /** What Java checks of a buffer is what native code works on, whatever happens in between. */
  @Test
  void otherThreadsMayChangeBuffersAndListsMeanwhile() throws Exception {
    ByteBuffer[] data = new ByteBuffer[3];
    ByteBuffer[] parity = new ByteBuffer[2];
    Arrays.setAll(data, unit -> ByteBuffer.allocateDirect(1 << 20));
    Arrays.setAll(parity, unit -> ByteBuffer.allocateDirect(1 << 20));
    ByteBuffer moved = data[1];
    ByteBuffer heap = ByteBuffer.allocate(1 << 20);
    AtomicBoolean done = new AtomicBoolean();
    Thread other =
        new Thread(
            () -> {
              while (!done.get()) {
                moved.position(1 << 19);
                moved.limit(1 << 19).position(0);
                data[1] = heap;
                moved.clear();
                data[1] = null;
                data[1] = ByteBuffer.allocateDirect(1 << 20);
                data[1] = moved;
              }
            });
    other.start();
    int refused = 0;
    try (ReedSolomon code = new ReedSolomon(3, 2)) {
      for (int round = 0; round < 2000; round++) {
        try {
          code.encode(data, parity);
        } catch (IllegalArgumentException | NullPointerException e) {
          refused++;
        }
      }
      done.set(true);
      other.join();
      assertTrue(refused > 0, "the other thread has had no chance");
      code.encode(data, parity);
    } finally {
      done.set(true);
    }
  }

  @Test
  void outputsOverlapNothing() {
    try (ReedSolomon code = new ReedSolomon(2, 2)) {
      ByteBuffer[] data = DIRECT.buffers(2, 100);
      ByteBuffer[] parity = DIRECT.buffers(2, 100);
      refuses("parity shard 1 overlaps data shard 0",
          () -> code.encode(data, new ByteBuffer[] {parity[0], data[0]}));
      refuses("parity shard 1 overlaps parity shard 0",
          () -> code.encode(data, new ByteBuffer[] {parity[0], parity[0]}));
      ByteBuffer whole = ByteBuffer.allocateDirect(199);
      ByteBuffer front = whole.duplicate();
      front.limit(100);
      ByteBuffer back = whole.duplicate();
      back.position(99);
      refuses("parity shard 1 overlaps parity shard 0",
          () -> code.encode(data, new ByteBuffer[] {front, back}));
      byte[] array = new byte[200];
      byte[][] same = {array, array};
      refuses("parity shard 1 overlaps parity shard 0",
          () -> code.encode(
              new byte[2][100], new int[2], same, new int[] {0, 99}, 100));
      code.encode(new byte[2][100], new int[2], same, new int[] {0, 100}, 100);
    }
  }

  @Test
  void codesThatCannotBeAreRefused() {
    refuses("0 data and 1 parity units", () -> new ReedSolomon(0, 1));
    refuses("200 data and 100 parity units", () -> new ReedSolomon(200, 100));
    refuses("number of parity units is -1", () -> new ReedSolomon(3, -1));
    refuses("2 parity units: xor takes at most 1", () -> new ReedSolomon(3, 2, Matrix.XOR));
    refuses("is not MDS", () -> new ReedSolomon(9, 5, Matrix.PAR1));
    new ReedSolomon(9, 5, Matrix.PAR1, true).close();
  }

  @Test
  void aDefectIsAnExceptionWithItsMessage() {
    RestripeException defect =
        assertThrows(RestripeException.class, () -> Native.panic("shard 7 is odd"));
    assertEquals("a defect of restripe: shard 7 is odd", defect.getMessage());
  }

  @Test
  void buffersWithoutBytesAreFine() {
    try (ReedSolomon code = new ReedSolomon(3, 2)) {
      for (MemoryKind memory : MemoryKind.values()) {
        code.encode(memory.buffers(3, 0), memory.buffers(2, 0));
        code.reconstruct(memory.buffers(5, 0), new int[] {1}, memory.buffers(1, 0));
        ByteBuffer[] units = memory.randoms(5, 10, new Random(1));
        code.reconstruct(units, new int[0], new ByteBuffer[0]);
      }
      ByteBuffer empty = ByteBuffer.allocateDirect(0);
      code.encode(new ByteBuffer[] {empty, empty, empty}, new ByteBuffer[] {empty, empty});
    }
  }

  private static void refuses(String why, Runnable call) {
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refused.getMessage().contains(why), refused.getMessage());
  }
}
