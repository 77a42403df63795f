package restripe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PlanTest {
  @ParameterizedTest
  @EnumSource(MemoryKind.class)
  void aPlanIsKeptSentRestrictedAndAppliedInShares(MemoryKind memory) {
    Random random = new Random(1);
    for (Matrix matrix : Matrix.values()) {
      int parityUnits = matrix == Matrix.XOR ? 1 : matrix == Matrix.JERASURE_R6 ? 2 : 3;
      try (ReedSolomon code = new ReedSolomon(4, parityUnits, matrix, true)) {
        for (int length : new int[] {1, 1000, 65_536, 200_001}) {
          ByteBuffer[] data = memory.randoms(4, length, random);
          ByteBuffer[] parity = memory.buffers(parityUnits, length);
          code.encode(data, parity);
          try (Plan made = code.plan(new int[] {4, 0, 3, 2}, new int[] {1});
              Plan plan = Plan.fromBytes(made.toBytes());
              Plan left = plan.restrict(new int[] {0, 4});
              Plan right = plan.restrict(new int[] {2, 3})) {
            assertArrayEquals(new int[] {4, 0, 3, 2}, plan.reads());
            assertArrayEquals(new int[] {1}, plan.outputs());
            assertArrayEquals(new int[] {4, 0}, left.reads());
            ByteBuffer[] rebuilt = memory.buffers(1, length);
            plan.apply(new ByteBuffer[] {parity[0], data[0], data[3], data[2]}, rebuilt);
            assertEquals(data[1], rebuilt[0], matrix + " " + length);

            ByteBuffer[] sum = memory.buffers(1, length);
            left.apply(new ByteBuffer[] {parity[0], data[0]}, sum);
            right.applyAccumulate(new ByteBuffer[] {data[3], data[2]}, sum);
            assertEquals(data[1], sum[0], matrix + " " + length);
          }
        }
      }
    }
  }

  @Test
  void bytesThatAreNoPlanAreRefused() {
    try (ReedSolomon code = new ReedSolomon(6, 3);
        Plan plan = code.plan(new int[] {1, 2, 3, 4, 5, 6}, new int[] {0})) {
      byte[] bytes = plan.toBytes();
      for (int at = 0; at < bytes.length; at++) {
        byte[] cut = java.util.Arrays.copyOf(bytes, at);
        RestripeException refused =
            assertThrows(RestripeException.class, () -> Plan.fromBytes(cut));
        assertTrue(refused.getMessage().contains("serialised plan"), refused.getMessage());
      }
      assertThrows(NullPointerException.class, () -> Plan.fromBytes(null));
    }
  }

  @Test
  void whatCannotBePlannedIsRefusedWithTheNumbers() {
    try (ReedSolomon code = new ReedSolomon(6, 3)) {
      refuses("5 units are available, 6 are required", code, new int[] {1, 2, 3, 4, 5}, 0);
      refuses("unit 9 is out of range", code, new int[] {1, 2, 3, 4, 5, 9}, 0);
      refuses("unit 1 is named twice", code, new int[] {1, 1, 3, 4, 5, 6}, 0);
      refuses("unit 1 is both available and wanted", code, new int[] {1, 2, 3, 4, 5, 6}, 1);
      refuses("unit is -1, expected 0 or more", code, new int[] {-1, 2, 3, 4, 5, 6}, 1);
    }
  }

  private static void refuses(String why, ReedSolomon code, int[] available, int wanted) {
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class, () -> code.plan(available, new int[] {wanted}));
    assertTrue(refused.getMessage().contains(why), refused.getMessage());
  }
}
