package org.apache.hadoop.io.erasurecode.rawcoder;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.apache.hadoop.io.erasurecode.ErasureCoderOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Our coders beside Hadoop's own in Java: the same bytes, whatever the buffers. */
class AgainstHadoopTest {
  private static final byte JUNK = 0x5A;

  /** How the bytes are handed over. */
  enum Sort {
    DIRECT,
    DIRECT_SLICED,
    HEAP,
    HEAP_SLICED;

    /** A buffer of that many bytes, with other bytes around them, holding junk. */
    ByteBuffer buffer(int length, Random random) {
      int before = random.nextInt(70);
      int capacity = before + length + random.nextInt(70);
      boolean direct = this == DIRECT || this == DIRECT_SLICED;
      ByteBuffer whole =
          direct ? ByteBuffer.allocateDirect(capacity) : ByteBuffer.allocate(capacity);
      while (whole.hasRemaining()) {
        whole.put(JUNK);
      }
      whole.position(before).limit(before + length);
      return this == DIRECT_SLICED || this == HEAP_SLICED ? whole.slice() : whole;
    }

    ByteBuffer of(byte[] bytes, Random random) {
      ByteBuffer buffer = buffer(bytes.length, random);
      buffer.duplicate().put(bytes);
      return buffer;
    }
  }

  /** All units of one stripe, parity by Hadoop's encoder. */
  private static byte[][] stripe(Codec codec, ErasureCoderOptions options, int length, Random random)
      throws IOException {
    int dataUnits = options.getNumDataUnits();
    byte[][] units = new byte[options.getNumAllUnits()][length];
    for (int unit = 0; unit < dataUnits; unit++) {
      random.nextBytes(units[unit]);
    }
    if (length > 0) {
      codec.hadoop.createEncoder(options)
          .encode(
              Arrays.copyOf(units, dataUnits),
              Arrays.copyOfRange(units, dataUnits, units.length));
    }
    return units;
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return bytes;
  }

  /** Bytes of the memory around a buffer that are not junk any more. */
  private static int touched(ByteBuffer buffer) {
    ByteBuffer whole = buffer.duplicate();
    whole.clear();
    int touched = 0;
    for (int i = 0; i < whole.capacity(); i++) {
      boolean outside = i < buffer.position() || i >= buffer.limit();
      touched += outside && whole.get(i) != JUNK ? 1 : 0;
    }
    return touched;
  }

  private static List<ErasureCoderOptions> shapes(Codec codec) {
    List<ErasureCoderOptions> shapes = new ArrayList<>();
    int[][] counts =
        codec == Codec.XOR
            ? new int[][] {{2, 1}, {6, 1}, {1, 1}, {20, 1}}
            : new int[][] {{6, 3}, {3, 2}, {10, 4}, {1, 1}, {17, 3}, {12, 8}};
    for (int[] count : counts) {
      shapes.add(new ErasureCoderOptions(count[0], count[1]));
    }
    return shapes;
  }

  @ParameterizedTest
  @EnumSource(Codec.class)
  void encodesTheBytesThatHadoopEncodes(Codec codec) throws IOException {
    Random random = new Random(1);
    for (ErasureCoderOptions options : shapes(codec)) {
      RawErasureEncoder encoder = codec.restripe.createEncoder(options);
      int dataUnits = options.getNumDataUnits();
      for (int length : new int[] {0, 1, 63, 64, 1000, 4096, 65_535, 65_537, 200_001}) {
        byte[][] units = stripe(codec, options, length, random);
        for (Sort sort : Sort.values()) {
          String what = codec + " " + options.getNumAllUnits() + " " + length + " " + sort;
          ByteBuffer[] data = new ByteBuffer[dataUnits];
          ByteBuffer[] parity = new ByteBuffer[options.getNumParityUnits()];
          Arrays.setAll(data, unit -> sort.of(units[unit], random));
          Arrays.setAll(parity, unit -> sort.buffer(length, random));
          if (sort == Sort.DIRECT) {
            data[0] = data[0].asReadOnlyBuffer();
          }
          int[] positions = Arrays.stream(parity).mapToInt(ByteBuffer::position).toArray();
          encoder.encode(data, parity);
          for (int i = 0; i < parity.length; i++) {
            assertArrayEquals(units[dataUnits + i], bytes(parity[i]), what);
            assertEquals(positions[i], parity[i].position(), what);
            assertEquals(0, touched(parity[i]), what);
          }
          for (int unit = 0; unit < dataUnits; unit++) {
            assertEquals(0, data[unit].remaining(), what);
            data[unit].position(data[unit].position() - length);
            assertArrayEquals(units[unit], bytes(data[unit]), what);
          }
        }
        byte[][] parity = new byte[options.getNumParityUnits()][length];
        if (length > 0) {
          encoder.encode(Arrays.copyOf(units, dataUnits), parity);
        }
        for (int i = 0; i < parity.length; i++) {
          assertArrayEquals(units[dataUnits + i], parity[i], codec + " arrays " + length);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Codec.class)
  void decodesWhateverIsErasedInWhateverOrder(Codec codec) throws IOException {
    Random random = new Random(2);
    for (ErasureCoderOptions options : shapes(codec)) {
      RawErasureDecoder decoder = codec.restripe.createDecoder(options);
      for (int round = 0; round < 60; round++) {
        int length = 1 + random.nextInt(round % 10 == 0 ? 150_000 : 3000);
        byte[][] units = stripe(codec, options, length, random);
        Sort sort = Sort.values()[random.nextInt(4)];
        List<Integer> order = new ArrayList<>();
        for (int unit = 0; unit < units.length; unit++) {
          order.add(unit);
        }
        Collections.shuffle(order, random);
        int erasures = random.nextInt(options.getNumParityUnits() + 1);
        // Some of what is not erased is not there either, as far as there is enough.
        int absent = random.nextInt(options.getNumParityUnits() - erasures + 1);
        int[] erased = order.subList(0, erasures).stream().mapToInt(unit -> unit).toArray();
        String what =
            codec + " " + options.getNumAllUnits() + ", " + Arrays.toString(erased) + ", " + sort;
        ByteBuffer[] inputs = new ByteBuffer[units.length];
        Arrays.setAll(inputs, unit -> sort.of(units[unit], random));
        for (int unit : order.subList(0, erasures + absent)) {
          inputs[unit] = null;
        }
        ByteBuffer[] outputs = new ByteBuffer[erasures];
        Arrays.setAll(outputs, i -> sort.buffer(length, random));
        decoder.decode(inputs, erased, outputs);
        for (int i = 0; i < erasures; i++) {
          assertArrayEquals(units[erased[i]], bytes(outputs[i]), what);
          assertEquals(0, touched(outputs[i]), what);
        }
        for (int unit = 0; unit < units.length; unit++) {
          if (inputs[unit] != null) {
            assertEquals(0, inputs[unit].remaining(), what);
            inputs[unit].position(inputs[unit].position() - length);
            assertArrayEquals(units[unit], bytes(inputs[unit]), what);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Codec.class)
  void anErasedUnitMayBeThere(Codec codec) throws IOException {
    Random random = new Random(3);
    for (ErasureCoderOptions options : shapes(codec)) {
      byte[][] units = stripe(codec, options, 777, random);
      for (int erased = 0; erased < units.length; erased++) {
        for (boolean othersSuffice : new boolean[] {true, false}) {
          byte[][] inputs = units.clone();
          if (othersSuffice) {
            // It counts as erased, so what is in it does not count.
            inputs[erased] = new byte[777];
          } else {
            int absent = options.getNumParityUnits();
            for (int unit = 0; absent > 0; unit++) {
              if (unit != erased) {
                inputs[unit] = null;
                absent--;
              }
            }
          }
          byte[][] outputs = new byte[1][777];
          codec.restripe.createDecoder(options).decode(inputs, new int[] {erased}, outputs);
          assertArrayEquals(units[erased], outputs[0], codec + " " + erased + " " + othersSuffice);
        }
      }
    }
  }

  @Test
  void unitsMayLieInOneArray() throws IOException {
    ErasureCoderOptions options = new ErasureCoderOptions(6, 3);
    byte[][] units = stripe(Codec.RS, options, 100_000, new Random(6));
    byte[] whole = new byte[900_000];
    ByteBuffer[] buffers = new ByteBuffer[9];
    for (int unit = 0; unit < 9; unit++) {
      buffers[unit] = ByteBuffer.wrap(whole, unit * 100_000, 100_000);
      if (unit < 6) {
        buffers[unit].duplicate().put(units[unit]);
      }
    }
    Codec.RS.restripe.createEncoder(options)
        .encode(Arrays.copyOf(buffers, 6), Arrays.copyOfRange(buffers, 6, 9));
    for (int unit = 0; unit < 9; unit++) {
      byte[] part = Arrays.copyOfRange(whole, unit * 100_000, (unit + 1) * 100_000);
      assertArrayEquals(units[unit], part, "unit " + unit);
    }
  }

  @Test
  void asManyUnitsAsHadoopTakes() throws IOException {
    Random random = new Random(4);
    for (int dataUnits : new int[] {1, 128, 254}) {
      ErasureCoderOptions options = new ErasureCoderOptions(dataUnits, 255 - dataUnits);
      byte[][] units = stripe(Codec.RS, options, 100, random);
      byte[][] inputs = units.clone();
      int[] erased = new int[Math.min(options.getNumParityUnits(), 100)];
      for (int i = 0; i < erased.length; i++) {
        erased[i] = 2 * i;
        inputs[2 * i] = null;
      }
      byte[][] outputs = new byte[erased.length][100];
      Codec.RS.restripe.createDecoder(options).decode(inputs, erased, outputs);
      for (int i = 0; i < erased.length; i++) {
        assertArrayEquals(units[erased[i]], outputs[i], dataUnits + ": " + erased[i]);
      }
    }
    for (Codec codec : new Codec[] {Codec.RS, Codec.RS_LEGACY}) {
      ErasureCoderOptions options = new ErasureCoderOptions(200, 56);
      assertThrows(RuntimeException.class, () -> codec.hadoop.createDecoder(options));
      RuntimeException refused =
          assertThrows(RuntimeException.class, () -> codec.restripe.createEncoder(options));
      assertTrue(refused.getMessage().contains("200 data and 56 parity"), refused.getMessage());
    }
  }

  @Test
  void whatCannotBeDecodedIsRefused() {
    ErasureCoderOptions options = new ErasureCoderOptions(6, 3);
    RawErasureDecoder decoder = Codec.RS.restripe.createDecoder(options);
    byte[][] units = new byte[9][10];
    byte[][] outputs = new byte[3][10];
    int[] twice = {1, 1, 2};
    assertThrows(IllegalArgumentException.class, () -> decoder.decode(units, twice, outputs));
    int[] outside = {1, 9, 2};
    assertThrows(IllegalArgumentException.class, () -> decoder.decode(units, outside, outputs));
    int[] negative = {1, -1, 2};
    assertThrows(IllegalArgumentException.class, () -> decoder.decode(units, negative, outputs));
    byte[][] few = new byte[9][];
    few[0] = new byte[10];
    int[] erased = {1, 2, 3};
    assertThrows(IllegalArgumentException.class, () -> decoder.decode(few, erased, outputs));
  }

  @Test
  void aCoderThatWasReleasedSaysThatItIsClosed() {
    ErasureCoderOptions options = new ErasureCoderOptions(3, 2);
    RawErasureEncoder encoder = Codec.RS.restripe.createEncoder(options);
    RawErasureDecoder decoder = Codec.RS.restripe.createDecoder(options);
    for (int i = 0; i < 3; i++) {
      encoder.release();
      decoder.release();
    }
    IOException closed =
        assertThrows(
            IOException.class, () -> encoder.encode(new byte[3][8], new byte[2][8]));
    assertTrue(closed.getMessage().contains("closed"), closed.getMessage());
    byte[][] units = new byte[5][8];
    closed =
        assertThrows(
            IOException.class, () -> decoder.decode(units, new int[] {1}, new byte[1][8]));
    assertTrue(closed.getMessage().contains("closed"), closed.getMessage());
    // Others with the same options go on.
    assertTrue(Codec.RS.restripe.createEncoder(options).preferDirectBuffer());
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 6})
  void manyThreadsUseOneDecoder(int dataUnits) throws Exception {
    ErasureCoderOptions options = new ErasureCoderOptions(dataUnits, 3);
    RawErasureDecoder decoder = Codec.RS.restripe.createDecoder(options);
    byte[][] units = stripe(Codec.RS, options, 5000, new Random(5));
    List<Thread> threads = new ArrayList<>();
    List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
    for (int number = 0; number < 4; number++) {
      int erased = number % units.length;
      Thread thread =
          new Thread(
              () -> {
                byte[][] inputs = units.clone();
                inputs[erased] = null;
                for (int round = 0; round < 200; round++) {
                  byte[][] outputs = new byte[1][5000];
                  try {
                    decoder.decode(inputs, new int[] {erased}, outputs);
                    assertArrayEquals(units[erased], outputs[0]);
                  } catch (IOException | AssertionError e) {
                    failures.add(e);
                  }
                }
              });
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertEquals(Collections.emptyList(), failures);
  }
}
