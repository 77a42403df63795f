package restripe;

import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;

/**
 * {@code java -jar restripe.jar}: whether there is a library for this machine, what it computes
 * with, whether it computes what it should, and how fast.
 */
public final class SelfTest {
  private static final int UNIT_LENGTH = 1 << 20;
  private static final long NANOSECONDS = 300_000_000L;

  private final PrintStream out;
  private int failed;

  private SelfTest(PrintStream out) {
    this.out = out;
  }

  /** Runs the self-test. The exit status is 0 when all is well, else 1. */
  public static void main(String[] arguments) {
    System.exit(new SelfTest(System.out).run() ? 0 : 1);
  }

  private boolean run() {
    if (!Restripe.isAvailable()) {
      out.println(Restripe.whyNot());
      return false;
    }
    out.println("restripe   " + Restripe.version());
    out.println("library    " + Restripe.library());
    try {
      out.println("kernel     " + Restripe.kernel());
      out.println("checksums  " + Restripe.checksumMethod());
      for (KnownAnswers known : KnownAnswers.values()) {
        report("parity of " + known, known.parityIsRight());
        report("lost units of " + known, known.lostUnitsComeBack());
      }
      report("CRC-32C", crc32cIsRight());
      report("a defect becomes an exception", defectIsAnException());
      speed(6, 3);
      speed(10, 4);
    } catch (RestripeException e) {
      out.println(e.getMessage());
      return false;
    }
    out.println(failed == 0 ? "all is well" : failed + " tests FAILED");
    return failed == 0;
  }

  private void report(String what, boolean passed) {
    failed += passed ? 0 : 1;
    out.println((passed ? "passed     " : "FAILED     ") + what);
  }

  private static boolean crc32cIsRight() {
    Crc32c crc = new Crc32c();
    byte[] digits = "123456789".getBytes(StandardCharsets.US_ASCII);
    crc.update(digits, 0, digits.length);
    return crc.getValue() == 0xE306_9283L;
  }

  private static boolean defectIsAnException() {
    try {
      Native.panic("asked for");
      return false;
    } catch (RestripeException e) {
      return e.getMessage().contains("asked for");
    }
  }

  private void speed(int dataUnits, int parityUnits) {
    ByteBuffer[] data = new ByteBuffer[dataUnits];
    ByteBuffer[] parity = new ByteBuffer[parityUnits];
    Arrays.setAll(data, unit -> ByteBuffer.allocateDirect(UNIT_LENGTH));
    Arrays.setAll(parity, unit -> ByteBuffer.allocateDirect(UNIT_LENGTH));
    try (ReedSolomon code = new ReedSolomon(dataUnits, parityUnits)) {
      long best = Long.MAX_VALUE;
      long begin = System.nanoTime();
      for (long now = begin; now - begin < NANOSECONDS; ) {
        code.encode(data, parity);
        long next = System.nanoTime();
        best = Math.min(best, next - now);
        now = next;
      }
      double bytes = (double) (dataUnits + parityUnits) * UNIT_LENGTH;
      out.printf(
          Locale.ROOT, "encode     RS-%d-%d, units of 1 MiB: %.1f GB/s of data and parity%n",
          dataUnits, parityUnits, bytes / best);
    }
  }
}
