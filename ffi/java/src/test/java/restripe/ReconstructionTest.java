package restripe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.hdfs.protocol.datatransfer.PacketHeader;
import org.apache.hadoop.hdfs.protocol.datatransfer.PacketReceiver;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class ReconstructionTest {
  private static final int CELL = 1 << 16;
  private static final ChunkChecksum CHECKSUM = new ChunkChecksum(ChecksumKind.CRC32C, 512);

  private static ExecutorService threads;

  @BeforeAll
  static void startThreads() {
    threads = Executors.newFixedThreadPool(4);
  }

  @AfterAll
  static void stopThreads() {
    threads.shutdownNow();
  }

  /** The internal blocks of a group of RS-6-3-64k whose last stripe is short. */
  private static byte[][] blocks(int groupLength) {
    byte[] group = new byte[groupLength];
    new Random(groupLength).nextBytes(group);
    int stripes = (groupLength + 6 * CELL - 1) / (6 * CELL);
    byte[][] padded = new byte[6][stripes * CELL];
    int[] lengths = new int[6];
    for (int cell = 0; cell * CELL < groupLength; cell++) {
      int length = Math.min(CELL, groupLength - cell * CELL);
      System.arraycopy(group, cell * CELL, padded[cell % 6], cell / 6 * CELL, length);
      lengths[cell % 6] += length;
    }
    byte[][] parity = new byte[3][stripes * CELL];
    try (ReedSolomon code = new ReedSolomon(6, 3)) {
      code.encode(padded, new int[6], parity, new int[3], stripes * CELL);
    }
    byte[][] blocks = new byte[9][];
    for (int unit = 0; unit < 9; unit++) {
      blocks[unit] =
          unit < 6
              ? Arrays.copyOf(padded[unit], lengths[unit])
              : Arrays.copyOf(parity[unit - 6], lengths[0]);
    }
    return blocks;
  }

  /** Blocks in memory, some of which do not do what they should. */
  private static class Live implements Reconstruction.Sources {
    final byte[][] blocks;
    final int[] units;
    final Set<Integer> unopenable = new HashSet<>();
    final Set<Integer> unreadable = new HashSet<>();
    final Set<Integer> closed = Collections.synchronizedSet(new HashSet<>());
    final Set<Integer> opened = Collections.synchronizedSet(new HashSet<>());

    Live(byte[][] blocks, int... units) {
      this.blocks = blocks;
      this.units = units;
    }

    @Override
    public ChunkChecksum open(int source) throws IOException {
      if (unopenable.contains(source)) {
        throw new IOException("no route to host");
      }
      opened.add(source);
      return CHECKSUM;
    }

    @Override
    public int read(int source, long offset, ByteBuffer data, ByteBuffer checksums)
        throws IOException {
      if (unreadable.contains(source) && offset > 0) {
        throw new IOException("disk is gone");
      }
      int length = data.remaining();
      ByteBuffer filled = data.duplicate();
      data.put(blocks[units[source]], (int) offset, length);
      CHECKSUM.compute(filled, checksums);
      if (corrupts(source, offset)) {
        data.put(length - 1, (byte) ~data.get(length - 1));
      }
      return length;
    }

    boolean corrupts(int source, long offset) {
      return false;
    }

    @Override
    public void close(int source) {
      assertTrue(closed.add(source), "closed twice");
    }
  }

  /** Keeps everything that comes, as it comes over the wire. */
  private static class Kept implements Reconstruction.Targets {
    final List<ByteArrayOutputStream> wires = new ArrayList<>();
    final Set<Integer> finished = Collections.synchronizedSet(new HashSet<>());
    final Set<Integer> dropped = Collections.synchronizedSet(new HashSet<>());

    Kept(int targets) {
      for (int i = 0; i < targets; i++) {
        wires.add(new ByteArrayOutputStream());
      }
    }

    @Override
    public void send(Reconstruction.Packet packet) throws IOException {
      ByteArrayOutputStream wire = wires.get(packet.target());
      write(wire, packet.head());
      for (ByteBuffer part : packet.data()) {
        assertTrue(part.isDirect());
        write(wire, part);
      }
      packet.acknowledge();
    }

    private static void write(ByteArrayOutputStream wire, ByteBuffer bytes) throws IOException {
      new DataOutputStream(wire).write(MemoryKind.bytes(bytes));
    }

    @Override
    public void finish(int target) {
      finished.add(target);
    }

    @Override
    public void drop(int target) {
      dropped.add(target);
    }

    /** The block that Hadoop's own receiver of packets takes from the wire. */
    byte[] block(int target) throws IOException {
      ByteArrayOutputStream block = new ByteArrayOutputStream();
      PacketReceiver receiver = new PacketReceiver(false);
      DataInputStream in =
          new DataInputStream(
              new java.io.ByteArrayInputStream(wires.get(target).toByteArray()));
      long seqno = 0;
      PacketHeader header;
      do {
        receiver.receiveNextPacket(in);
        header = receiver.getHeader();
        assertEquals(seqno++, header.getSeqno());
        assertEquals(block.size(), header.getOffsetInBlock());
        ByteBuffer data = receiver.getDataSlice();
        if (data.remaining() > 0) {
          byte[] sums = MemoryKind.bytes(receiver.getChecksumSlice());
          byte[] bytes = MemoryKind.bytes(data);
          CHECKSUM.verify(ByteBuffer.wrap(bytes), ByteBuffer.wrap(sums));
          block.write(bytes);
        }
      } while (!header.isLastPacketInBlock());
      receiver.close();
      return block.toByteArray();
    }
  }

  private static Reconstruction rs63(int groupLength) {
    return new Reconstruction("RS-6-3-64k", groupLength).timeout(20, TimeUnit.SECONDS);
  }

  @Test
  void lostBlocksAreSentAsPacketsThatHadoopUnderstands() throws Exception {
    for (int length : new int[] {1, CELL, 6 * CELL, 20 * CELL + 12_345, 100 * CELL}) {
      byte[][] blocks = blocks(length);
      Live live = new Live(blocks, 0, 2, 3, 4, 5, 6, 8);
      Kept kept = new Kept(2);
      String[] results =
          rs63(length).sources(live.units).targets(1, 7).run(live, kept, threads);
      assertArrayEquals(new String[2], results);
      assertArrayEquals(blocks[1], kept.block(0), "unit 1 of " + length);
      assertArrayEquals(blocks[7], kept.block(1), "unit 7 of " + length);
      assertEquals(new HashSet<>(Arrays.asList(0, 1)), kept.finished);
      assertTrue(live.closed.containsAll(live.opened), live.opened + " " + live.closed);
    }
  }

  @Test
  void sourcesThatFailAreReplaced() throws Exception {
    byte[][] blocks = blocks(40 * CELL);
    Live live = new Live(blocks, 0, 1, 2, 3, 4, 5, 6, 7) {
      @Override
      boolean corrupts(int source, long offset) {
        return source == 4 && offset >= 2 * CELL;
      }
    };
    live.unopenable.add(1);
    Kept kept = new Kept(1);
    rs63(40 * CELL).sources(live.units).targets(8).run(live, kept, threads);
    assertArrayEquals(blocks[8], kept.block(0));

    live.closed.clear();
    live.unreadable.add(6);
    IOException failed =
        assertThrows(
            IOException.class,
            () -> rs63(40 * CELL).sources(live.units).targets(8)
                .run(live, new Kept(1), threads));
    String message = failed.getMessage();
    assertTrue(message.contains("source 1 cannot be opened: "), message);
    assertTrue(message.contains("no route to host"), message);
    assertTrue(message.contains("source 6 cannot be read: "), message);
  }

  @Test
  void aTargetThatFailsDoesNotHoldTheOthersUp() throws Exception {
    byte[][] blocks = blocks(40 * CELL);
    Live live = new Live(blocks, 0, 2, 3, 4, 5, 6);
    Kept kept = new Kept(2) {
      @Override
      public void send(Reconstruction.Packet packet) throws IOException {
        if (packet.target() == 0 && packet.seqno() == 3) {
          throw new IOException("connection reset");
        }
        super.send(packet);
      }
    };
    String[] results = rs63(40 * CELL).sources(live.units).targets(1, 8).run(live, kept, threads);
    assertTrue(results[0].contains("connection reset"), results[0]);
    assertNull(results[1]);
    assertArrayEquals(blocks[8], kept.block(1));
    assertTrue(kept.dropped.contains(0));
  }

  @Test
  void aTargetThatNeverAcknowledgesIsGivenUp() throws Exception {
    byte[][] blocks = blocks(4 * CELL);
    Live live = new Live(blocks, 0, 2, 3, 4, 5, 6);
    Reconstruction.Targets silent = packet -> {};
    IOException failed =
        assertThrows(
            IOException.class,
            () -> new Reconstruction("RS-6-3-64k", 4 * CELL)
                .timeout(200, TimeUnit.MILLISECONDS).sources(live.units).targets(1)
                .run(live, silent, threads));
    assertTrue(failed.getMessage().contains("all targets failed"), failed.getMessage());
  }

  @Test
  void anErrorInACallbackEndsIt() {
    byte[][] blocks = blocks(4 * CELL);
    Live live = new Live(blocks, 0, 2, 3, 4, 5, 6);
    Reconstruction.Targets broken = packet -> {
      throw new AssertionError("a defect of the caller's");
    };
    AssertionError thrown =
        assertThrows(
            AssertionError.class,
            () -> rs63(4 * CELL).sources(live.units).targets(1).run(live, broken, threads));
    assertEquals("a defect of the caller's", thrown.getMessage());
  }

  @Test
  void anInterruptEndsIt() throws Exception {
    byte[][] blocks = blocks(4 * CELL);
    Live live = new Live(blocks, 0, 2, 3, 4, 5, 6);
    Thread caller = Thread.currentThread();
    Reconstruction.Targets interrupting = packet -> caller.interrupt();
    assertThrows(
        InterruptedException.class,
        () -> rs63(4 * CELL).sources(live.units).targets(1).run(live, interrupting, threads));
  }

  @Test
  void whatCannotBeRebuiltIsRefusedAtOnce() {
    Live live = new Live(blocks(4 * CELL), 0, 2, 3, 4, 5);
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class,
            () -> rs63(100 * CELL).sources(live.units).targets(1)
                .run(live, new Kept(1), threads));
    assertTrue(refused.getMessage().contains("5 units are available"), refused.getMessage());
    assertThrows(
        IllegalArgumentException.class,
        () -> new Reconstruction("RS-6", 1).sources(0).run(live, new Kept(1), threads));
    assertThrows(
        IllegalArgumentException.class,
        () -> rs63(-1).sources(0).run(live, new Kept(1), threads));
  }
}
