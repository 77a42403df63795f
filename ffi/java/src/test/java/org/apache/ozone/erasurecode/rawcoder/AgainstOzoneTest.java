package org.apache.ozone.erasurecode.rawcoder;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.apache.hadoop.hdds.client.ECReplicationConfig;
import org.apache.hadoop.hdds.client.ECReplicationConfig.EcCodec;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Our coders compute the bytes of Ozone's own ones in Java. */
class AgainstOzoneTest {
  /** Ozone's codecs: the factory of its own coder in Java, and ours. */
  enum Codec {
    RS(EcCodec.RS, new RSRawErasureCoderFactory(), new RestripeRSRawErasureCoderFactory()),
    XOR(EcCodec.XOR, new XORRawErasureCoderFactory(), new RestripeXORRawErasureCoderFactory());

    final EcCodec codec;
    final RawErasureCoderFactory ozone;
    final RawErasureCoderFactory restripe;

    Codec(EcCodec codec, RawErasureCoderFactory ozone, RawErasureCoderFactory restripe) {
      this.codec = codec;
      this.ozone = ozone;
      this.restripe = restripe;
    }

    List<ECReplicationConfig> shapes() {
      List<ECReplicationConfig> shapes = new ArrayList<>();
      int[][] counts =
          this == XOR ? new int[][] {{2, 1}, {7, 1}} : new int[][] {{3, 2}, {6, 3}, {10, 4}};
      for (int[] count : counts) {
        shapes.add(new ECReplicationConfig(count[0], count[1], codec, 1 << 20));
      }
      return shapes;
    }
  }

  /** All units of one stripe, parity by Ozone's encoder. */
  private static byte[][] stripe(
      Codec codec, ECReplicationConfig options, int length, Random random) throws IOException {
    int dataUnits = options.getData();
    byte[][] units = new byte[dataUnits + options.getParity()][length];
    for (int unit = 0; unit < dataUnits; unit++) {
      random.nextBytes(units[unit]);
    }
    codec.ozone.createEncoder(options)
        .encode(
            Arrays.copyOf(units, dataUnits), Arrays.copyOfRange(units, dataUnits, units.length));
    return units;
  }

  /** A buffer with those bytes somewhere in the middle. */
  private static ByteBuffer buffer(byte[] bytes, boolean direct, Random random) {
    int before = random.nextInt(70);
    int capacity = before + bytes.length + random.nextInt(70);
    ByteBuffer buffer =
        direct ? ByteBuffer.allocateDirect(capacity) : ByteBuffer.allocate(capacity);
    buffer.position(before).limit(before + bytes.length);
    buffer.duplicate().put(bytes);
    return buffer;
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return bytes;
  }

  @ParameterizedTest
  @EnumSource(Codec.class)
  void encodesTheBytesThatOzoneEncodes(Codec codec) throws IOException {
    Random random = new Random(1);
    for (ECReplicationConfig options : codec.shapes()) {
      RawErasureEncoder encoder = codec.restripe.createEncoder(options);
      for (int length : new int[] {1, 63, 1000, 65_537, 150_001}) {
        byte[][] units = stripe(codec, options, length, random);
        for (boolean direct : new boolean[] {true, false}) {
          ByteBuffer[] data = new ByteBuffer[options.getData()];
          ByteBuffer[] parity = new ByteBuffer[options.getParity()];
          Arrays.setAll(data, unit -> buffer(units[unit], direct, random));
          Arrays.setAll(parity, unit -> buffer(new byte[length], direct, random));
          encoder.encode(data, parity);
          for (int i = 0; i < parity.length; i++) {
            String what = codec + " " + units.length + ", " + length + ", direct " + direct;
            assertArrayEquals(units[data.length + i], bytes(parity[i]), what);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Codec.class)
  void decodesWhateverIsErasedInWhateverOrder(Codec codec) throws IOException {
    Random random = new Random(2);
    for (ECReplicationConfig options : codec.shapes()) {
      RawErasureDecoder decoder = codec.restripe.createDecoder(options);
      for (int round = 0; round < 60; round++) {
        boolean direct = round % 2 == 0;
        byte[][] units =
            stripe(codec, options, 1 + random.nextInt(round % 10 == 0 ? 150_000 : 3000), random);
        List<Integer> order = new ArrayList<>();
        for (int unit = 0; unit < units.length; unit++) {
          order.add(unit);
        }
        Collections.shuffle(order, random);
        int erasures = 1 + random.nextInt(options.getParity());
        int[] erased = order.subList(0, erasures).stream().mapToInt(unit -> unit).toArray();
        ByteBuffer[] inputs = new ByteBuffer[units.length];
        Arrays.setAll(inputs, unit -> buffer(units[unit], direct, random));
        ByteBuffer[] outputs = new ByteBuffer[erasures];
        Arrays.setAll(outputs, i -> buffer(new byte[units[0].length], direct, random));
        for (int unit : erased) {
          inputs[unit] = null;
        }
        decoder.decode(inputs, erased, outputs);
        for (int i = 0; i < erasures; i++) {
          String what = codec + " " + units.length + ", " + Arrays.toString(erased);
          assertArrayEquals(units[erased[i]], bytes(outputs[i]), what);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Codec.class)
  void aCoderThatWasReleasedSaysThatItIsClosed(Codec codec) {
    ECReplicationConfig options = codec.shapes().get(0);
    RawErasureEncoder encoder = codec.restripe.createEncoder(options);
    encoder.release();
    encoder.release();
    byte[][] data = new byte[options.getData()][8];
    byte[][] parity = new byte[options.getParity()][8];
    IOException closed =
        assertThrows(IOException.class, () -> encoder.encode(data, parity));
    assertEquals("RestripeRawEncoder closed", closed.getMessage());
  }
}
