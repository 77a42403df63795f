package restripe;

import java.util.Arrays;

/** Codes whose parity of certain bytes is known: from Hadoop's own coders in Java. */
enum KnownAnswers {
  RS_3_2(3, 2, Matrix.CAUCHY, 0xF04C_F499),
  RS_6_3(6, 3, Matrix.CAUCHY, 0x1E42_C47B),
  RS_10_4(10, 4, Matrix.CAUCHY, 0x504C_9775),
  RS_LEGACY_6_3(6, 3, Matrix.RS_LEGACY, 0x2F0C_1733),
  XOR_2_1(2, 1, Matrix.XOR, 0x7B5B_F770);

  /** Bytes of every unit. */
  static final int LENGTH = 1000;

  final int dataUnits;
  final int parityUnits;
  final Matrix matrix;
  /** CRC-32C of the parity units, one behind the other. */
  final int crcOfParity;

  KnownAnswers(int dataUnits, int parityUnits, Matrix matrix, int crcOfParity) {
    this.dataUnits = dataUnits;
    this.parityUnits = parityUnits;
    this.matrix = matrix;
    this.crcOfParity = crcOfParity;
  }

  /** The data units: bytes that differ everywhere, the same on every machine. */
  byte[][] data() {
    byte[][] data = new byte[dataUnits][LENGTH];
    int state = 1;
    for (byte[] unit : data) {
      for (int i = 0; i < LENGTH; i++) {
        state = state * 1_664_525 + 1_013_904_223;
        unit[i] = (byte) (state >>> 24);
      }
    }
    return data;
  }

  /** Whether the parity comes out as it should. */
  boolean parityIsRight() {
    Crc32c crc = new Crc32c();
    for (byte[] unit : parity()) {
      crc.update(unit, 0, LENGTH);
    }
    return (int) crc.getValue() == crcOfParity;
  }

  /** Whether units that are lost, as many as may be, come back as they were. */
  boolean lostUnitsComeBack() {
    byte[][] data = data();
    byte[][] units = Arrays.copyOf(data, dataUnits + parityUnits);
    System.arraycopy(parity(), 0, units, dataUnits, parityUnits);
    int[] lost = new int[parityUnits];
    for (int i = 0; i < parityUnits; i++) {
      lost[i] = i;
      units[i] = null;
    }
    byte[][] rebuilt = new byte[parityUnits][LENGTH];
    try (ReedSolomon code = new ReedSolomon(dataUnits, parityUnits, matrix)) {
      int[] offsets = new int[units.length];
      code.reconstruct(units, offsets, lost, rebuilt, new int[parityUnits], LENGTH);
    }
    return Arrays.deepEquals(rebuilt, Arrays.copyOf(data, parityUnits));
  }

  private byte[][] parity() {
    byte[][] parity = new byte[parityUnits][LENGTH];
    try (ReedSolomon code = new ReedSolomon(dataUnits, parityUnits, matrix)) {
      code.encode(data(), new int[dataUnits], parity, new int[parityUnits], LENGTH);
    }
    return parity;
  }
}
