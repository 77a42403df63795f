package restripe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import java.util.zip.Checksum;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ChecksumTest {
  private static final int[] LENGTHS = {0, 1, 511, 512, 513, 65_535, 65_536, 65_537, 300_001};

  /** The checksums of chunks by the classes of Java. */
  private static byte[] expected(ChecksumKind kind, int bytesPerChecksum, byte[] data) {
    int chunks = (data.length + bytesPerChecksum - 1) / bytesPerChecksum;
    ByteBuffer sums = ByteBuffer.allocate(kind == ChecksumKind.NULL ? 0 : 4 * chunks);
    for (int chunk = 0; chunk < chunks && kind != ChecksumKind.NULL; chunk++) {
      Checksum java = kind == ChecksumKind.CRC32 ? new CRC32() : new CRC32C();
      int start = chunk * bytesPerChecksum;
      java.update(data, start, Math.min(bytesPerChecksum, data.length - start));
      sums.putInt((int) java.getValue());
    }
    return sums.array();
  }

  @ParameterizedTest
  @EnumSource(MemoryKind.class)
  void chunksHaveTheChecksumsThatJavaGivesThem(MemoryKind memory) {
    Random random = new Random(1);
    for (ChecksumKind kind : ChecksumKind.values()) {
      for (int bytesPerChecksum : new int[] {1, 3, 512, 1000, 4096, 65_536}) {
        for (int length : LENGTHS) {
          String what = kind + ", " + length + " by " + bytesPerChecksum;
          ChunkChecksum checksum = new ChunkChecksum(kind, bytesPerChecksum);
          ByteBuffer data = memory.random(length, random);
          ByteBuffer sums = memory.buffer(checksum.sumsLength(length));
          checksum.compute(data, sums);
          assertArrayEquals(
              expected(kind, bytesPerChecksum, MemoryKind.bytes(data)), MemoryKind.bytes(sums),
              what);
          checksum.verify(data, sums);
          assertEquals(length, data.remaining(), what);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(MemoryKind.class)
  void aMismatchNamesTheChunkOfTheWholeData(MemoryKind memory) {
    ChunkChecksum checksum = new ChunkChecksum(ChecksumKind.CRC32C, 1000);
    ByteBuffer data = memory.random(300_001, new Random(2));
    ByteBuffer sums = memory.buffer(checksum.sumsLength(300_001));
    checksum.compute(data, sums);
    for (int at : new int[] {0, 999, 1000, 64_999, 65_000, 65_536, 130_000, 299_999, 300_000}) {
      int index = data.position() + at;
      data.put(index, (byte) ~data.get(index));
      ChecksumMismatchException mismatch =
          assertThrows(ChecksumMismatchException.class, () -> checksum.verify(data, sums));
      assertEquals(-1, mismatch.unit());
      assertEquals(at / 1000, mismatch.chunk());
      assertEquals(at / 1000 * 1000L, mismatch.offset());
      assertEquals(sums.getInt(sums.position() + at / 1000 * 4), mismatch.expected());
      assertTrue(mismatch.expected() != mismatch.found());
      String message = mismatch.getMessage();
      assertTrue(message.startsWith("chunk " + at / 1000 + ", from byte "), message);
      data.put(index, (byte) ~data.get(index));
    }
    checksum.verify(data, sums);
  }

  @Test
  void chunksInArraysAreNotLongerThanOneTile() {
    ChunkChecksum checksum = new ChunkChecksum(ChecksumKind.CRC32C, 65_537);
    ByteBuffer data = MemoryKind.DIRECT.random(200_000, new Random(3));
    ByteBuffer sums = MemoryKind.DIRECT.buffer(16);
    checksum.compute(data, sums);
    byte[] bytes = MemoryKind.bytes(data);
    assertArrayEquals(
        expected(ChecksumKind.CRC32C, 65_537, bytes), MemoryKind.bytes(sums));
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class,
            () -> checksum.compute(ByteBuffer.wrap(bytes), ByteBuffer.allocate(16)));
    assertTrue(refused.getMessage().contains("65537"), refused.getMessage());
  }

  @Test
  void aStreamHasTheChecksumThatJavaGivesIt() {
    Random random = new Random(4);
    Crc32c crc = new Crc32c();
    CRC32C java = new CRC32C();
    for (int length : LENGTHS) {
      ByteBuffer direct = MemoryKind.DIRECT.random(length, random);
      java.update(direct.duplicate());
      crc.update(direct);
      assertEquals(0, direct.remaining());
      byte[] bytes = MemoryKind.bytes(MemoryKind.HEAP.random(length, random));
      java.update(bytes, length / 3, length - length / 3);
      crc.update(bytes, length / 3, length - length / 3);
      java.update(length);
      crc.update(length);
      assertEquals(java.getValue(), crc.getValue(), "after " + length);
    }
    crc.reset();
    assertEquals(0, crc.getValue());
  }

  @ParameterizedTest
  @EnumSource(MemoryKind.class)
  void codingWithChecksumsIsBothAtOnce(MemoryKind memory) {
    Random random = new Random(5);
    try (ReedSolomon code = new ReedSolomon(6, 3)) {
      for (int length : new int[] {0, 1, 512, 70_000, 300_001}) {
        ChunkChecksum checksum = new ChunkChecksum(ChecksumKind.CRC32C, 512);
        int sumsLength = checksum.sumsLength(length);
        ByteBuffer[] data = memory.randoms(6, length, random);
        ByteBuffer[] parity = memory.buffers(3, length);
        ByteBuffer[] dataSums = memory.buffers(6, sumsLength);
        ByteBuffer[] paritySums = memory.buffers(3, sumsLength);
        code.encodeWithChecksums(checksum, data, parity, dataSums, paritySums);
        ByteBuffer[] alone = memory.buffers(3, length);
        code.encode(data, alone);
        assertArrayEquals(alone, parity);
        for (int i = 0; i < 6; i++) {
          checksum.verify(data[i], dataSums[i]);
        }
        for (int i = 0; i < 3; i++) {
          checksum.verify(parity[i], paritySums[i]);
        }

        try (Plan plan = code.plan(new int[] {8, 1, 2, 3, 7, 5}, new int[] {4, 0})) {
          ByteBuffer[] inputs = {parity[2], data[1], data[2], data[3], parity[1], data[5]};
          ByteBuffer[] inputSums = {
            paritySums[2], dataSums[1], dataSums[2], dataSums[3], paritySums[1], dataSums[5]
          };
          ByteBuffer[] outputs = memory.buffers(2, length);
          ByteBuffer[] outputSums = memory.buffers(2, sumsLength);
          plan.applyWithChecksums(checksum, inputs, inputSums, outputs, outputSums);
          assertArrayEquals(new ByteBuffer[] {data[4], data[0]}, outputs);
          assertArrayEquals(new ByteBuffer[] {dataSums[4], dataSums[0]}, outputSums);

          if (length > 0) {
            int last = data[3].limit() - 1;
            data[3].put(last, (byte) ~data[3].get(last));
            ChecksumMismatchException mismatch =
                assertThrows(
                    ChecksumMismatchException.class,
                    () -> plan.applyWithChecksums(
                        checksum, inputs, inputSums, outputs, outputSums));
            assertEquals(3, mismatch.unit());
            assertEquals((length - 1) / 512, mismatch.chunk());
            assertEquals((length - 1) / 512 * 512L, mismatch.offset());
          }
        }
      }
    }
  }

  @Test
  void whatChunksCannotBeIsRefused() {
    assertThrows(
        IllegalArgumentException.class, () -> new ChunkChecksum(ChecksumKind.CRC32C, 0));
    assertThrows(
        IllegalArgumentException.class, () -> new ChunkChecksum(ChecksumKind.CRC32, (1 << 24) + 1));
    ChunkChecksum checksum = new ChunkChecksum(ChecksumKind.CRC32C, 512);
    for (int wrong : new int[] {0, 4, 7, 9, 12}) {
      IllegalArgumentException refused =
          assertThrows(
              IllegalArgumentException.class,
              () -> checksum.compute(ByteBuffer.allocate(600), ByteBuffer.allocate(wrong)));
      assertTrue(
          refused.getMessage().contains(wrong + " bytes, expected 8"), refused.getMessage());
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> checksum.compute(ByteBuffer.allocate(600), ByteBuffer.allocateDirect(8)));
    assertEquals(Arrays.asList(0, 4, 4, 8), Arrays.asList(
        checksum.sumsLength(0), checksum.sumsLength(1), checksum.sumsLength(512),
        checksum.sumsLength(513)));
    assertThrows(
        ArithmeticException.class,
        () -> new ChunkChecksum(ChecksumKind.CRC32C, 1).sumsLength(1 << 30));
  }
}
