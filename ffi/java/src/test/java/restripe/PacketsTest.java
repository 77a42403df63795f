package restripe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Random;
import org.apache.hadoop.hdfs.protocol.datatransfer.PacketHeader;
import org.apache.hadoop.util.DataChecksum;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Packets of ours, and those with headers and checksums of Hadoop's. */
class PacketsTest {
  private static final ChunkChecksum CHECKSUM = new ChunkChecksum(ChecksumKind.CRC32C, 512);

  /** A packet as Hadoop writes it. */
  private static byte[] hadoop(byte[] bytes, long offset, long seqno, boolean last, boolean sync)
      throws IOException {
    int chunks = (bytes.length + 511) / 512;
    byte[] sums = new byte[4 * chunks];
    DataChecksum.newDataChecksum(DataChecksum.Type.CRC32C, 512)
        .calculateChunkedSums(bytes, 0, bytes.length, sums, 0);
    ByteArrayOutputStream wire = new ByteArrayOutputStream();
    int length = 4 + sums.length + bytes.length;
    new PacketHeader(length, offset, seqno, last, bytes.length, sync)
        .write(new DataOutputStream(wire));
    wire.write(sums);
    wire.write(bytes);
    return wire.toByteArray();
  }

  @ParameterizedTest
  @EnumSource(MemoryKind.class)
  void packetsAreThoseThatHadoopWrites(MemoryKind memory) throws IOException {
    Random random = new Random(1);
    for (int length : new int[] {1, 512, 513, 64_512, 200_000}) {
      for (boolean sync : new boolean[] {false, true}) {
        ByteBuffer data = memory.random(length, random);
        Packets.Header header = Packets.Header.data(512L << 31, 7, length);
        ByteBuffer head = memory.buffer(Packets.headLength(CHECKSUM, length));
        Packets.frame(CHECKSUM, sync ? header.withSync() : header, data, head);
        byte[] expected = hadoop(MemoryKind.bytes(data), 512L << 31, 7, false, sync);
        byte[] got = new byte[expected.length];
        int headLength = head.remaining();
        head.get(got, 0, headLength);
        data.get(got, headLength, length);
        assertEquals(expected.length, headLength + length);
        assertArrayEquals(expected, got, length + " " + sync);
      }
    }
    ByteBuffer head = memory.buffer(Packets.headLength(CHECKSUM, 0));
    Packets.frame(CHECKSUM, Packets.Header.last(1000, 3), memory.buffer(0), head);
    assertArrayEquals(hadoop(new byte[0], 1000, 3, true, false), MemoryKind.bytes(head));
  }

  @ParameterizedTest
  @EnumSource(MemoryKind.class)
  void aStreamIsTakenApartWhereverItIsCut(MemoryKind memory) throws IOException {
    byte[] first = new byte[100_000];
    byte[] second = new byte[777];
    new Random(2).nextBytes(first);
    new Random(3).nextBytes(second);
    ByteArrayOutputStream stream = new ByteArrayOutputStream();
    stream.write(hadoop(first, 0, 0, false, false));
    stream.write(hadoop(second, 100_000, 1, false, true));
    stream.write(hadoop(new byte[0], 100_777, 2, true, false));
    byte[] bytes = stream.toByteArray();
    for (int step : new int[] {1, 7, 1000, 70_000, bytes.length}) {
      ByteArrayOutputStream block = new ByteArrayOutputStream();
      long packets = 0;
      try (Packets.Reader reader = new Packets.Reader(CHECKSUM)) {
        for (int at = 0; at < bytes.length; at += step) {
          int count = Math.min(step, bytes.length - at);
          ByteBuffer piece = memory.buffer(count);
          piece.duplicate().put(bytes, at, count);
          while (piece.hasRemaining()) {
            reader.push(piece);
            Packets.Header header = reader.header();
            if (header == null) {
              assertEquals(0, piece.remaining());
              continue;
            }
            assertEquals(packets++, header.seqno());
            assertEquals(block.size(), header.offset());
            assertEquals(header.seqno() == 1, header.syncs());
            assertEquals(header.seqno() == 2, header.isLast());
            ByteBuffer data = memory.buffer(header.dataLength());
            ByteBuffer sums = memory.buffer(CHECKSUM.sumsLength(header.dataLength()));
            reader.take(data, sums);
            CHECKSUM.verify(data, sums);
            block.write(MemoryKind.bytes(data));
          }
        }
        assertNull(reader.header());
      }
      assertEquals(3, packets, "by " + step);
      byte[] whole = new byte[100_777];
      System.arraycopy(first, 0, whole, 0, first.length);
      System.arraycopy(second, 0, whole, first.length, second.length);
      assertArrayEquals(whole, block.toByteArray(), "by " + step);
    }
  }

  @ParameterizedTest
  @EnumSource(MemoryKind.class)
  void wholePacketsAreTakenApartWhereTheyLie(MemoryKind memory) throws IOException {
    byte[] first = new byte[100_000];
    new Random(4).nextBytes(first);
    ByteArrayOutputStream stream = new ByteArrayOutputStream();
    stream.write(hadoop(first, 0, 0, false, true));
    int firstEnd = stream.size();
    stream.write(hadoop(new byte[0], 100_000, 1, true, false));
    byte[] bytes = stream.toByteArray();
    ByteBuffer buffer = memory.buffer(bytes.length);
    buffer.duplicate().put(bytes);
    int begin = buffer.position();
    int end = buffer.limit();
    for (int come : new int[] {0, 5, 6, 20, 1000, 70_000, firstEnd - 1}) {
      buffer.limit(begin + come);
      assertNull(Packets.next(CHECKSUM, buffer), come + " bytes");
      assertEquals(begin, buffer.position());
    }
    buffer.limit(end);
    Packets.Packet packet = Packets.next(CHECKSUM, buffer);
    assertEquals(begin + firstEnd, buffer.position());
    assertEquals(0, packet.header().offset());
    assertTrue(packet.header().syncs());
    CHECKSUM.verify(packet.data(), packet.checksums());
    assertArrayEquals(first, MemoryKind.bytes(packet.data()));
    // It is the buffer's memory, no copy of it.
    buffer.put(packet.data().position(), (byte) ~first[0]);
    assertEquals((byte) ~first[0], packet.data().get(packet.data().position()));
    packet = Packets.next(CHECKSUM, buffer);
    assertTrue(packet.header().isLast());
    assertEquals(0, packet.data().remaining() + packet.checksums().remaining());
    assertNull(Packets.next(CHECKSUM, buffer));

    ByteBuffer junk = memory.buffer(6);
    junk.duplicate().put(new byte[] {-1, -1, -1, -1, 0, 25});
    assertThrows(RestripeException.class, () -> Packets.next(CHECKSUM, junk));
  }

  @ParameterizedTest
  @EnumSource(MemoryKind.class)
  void whatIsNoPacketIsRefused(MemoryKind memory) {
    try (Packets.Reader reader = new Packets.Reader(CHECKSUM)) {
      ByteBuffer junk = memory.buffer(6);
      junk.duplicate().put(new byte[] {-1, -1, -1, -1, 0, 25});
      RestripeException refused =
          assertThrows(RestripeException.class, () -> reader.push(junk));
      assertTrue(refused.getMessage().contains("length is -1"), refused.getMessage());
      assertThrows(RestripeException.class, () -> reader.push(memory.buffer(1)));
      assertThrows(
          IllegalStateException.class, () -> reader.take(memory.buffer(1), memory.buffer(1)));
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> Packets.frame(
            CHECKSUM, Packets.Header.data(0, 0, 5), memory.buffer(4), memory.buffer(50)));
  }
}
