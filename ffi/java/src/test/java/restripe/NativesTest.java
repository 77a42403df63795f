package restripe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The libraries that the jar takes along are for the machines that it says. */
class NativesTest {
  /** RHEL 7's, and the oldest that Rust's standard library runs on. */
  private static final int OLDEST_GLIBC = 17;

  private static final Pattern GLIBC = Pattern.compile("GLIBC_2\\.(\\d+)");

  /** A library in the jar; null where the jar was built for one machine only, for tests. */
  private static byte[] library(String platform) throws IOException {
    String name = "native/" + platform + "/librestripe_jni.so";
    try (InputStream in = Loader.class.getResourceAsStream(name)) {
      if (in == null) {
        return null;
      }
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      byte[] buffer = new byte[1 << 16];
      for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
        bytes.write(buffer, 0, count);
      }
      return bytes.toByteArray();
    }
  }

  private static void assertMachine(String platform, byte[] library) {
    int machine = (library[18] & 0xFF) | (library[19] & 0xFF) << 8;
    assertEquals(platform.contains("x86_64") ? 62 : 183, machine, platform + ": ELF's e_machine");
  }

  @ParameterizedTest
  @ValueSource(strings = {"linux-x86_64-gnu", "linux-aarch64-gnu"})
  void glibcMayBeOld(String platform) throws IOException {
    assumeTrue(library("linux-x86_64-gnu") != null && library("linux-aarch64-gnu") != null,
        "built by natives --host");
    byte[] library = library(platform);
    assertMachine(platform, library);
    Matcher matcher = GLIBC.matcher(new String(library, StandardCharsets.ISO_8859_1));
    int newest = 0;
    while (matcher.find()) {
      newest = Math.max(newest, Integer.parseInt(matcher.group(1)));
    }
    assertTrue(newest > 0, platform + " names no version of glibc at all");
    assertTrue(newest <= OLDEST_GLIBC, platform + " needs glibc 2." + newest);
  }

  @ParameterizedTest
  @ValueSource(strings = {"linux-x86_64-musl", "linux-aarch64-musl"})
  void muslNeedsNoGlibc(String platform) throws IOException {
    byte[] library = library(platform);
    assumeTrue(library != null, "built without musl");
    assertMachine(platform, library);
    String text = new String(library, StandardCharsets.ISO_8859_1);
    assertFalse(GLIBC.matcher(text).find(), platform + " names glibc");
    assertFalse(text.contains("libc.so.6"), platform + " needs libc.so.6");
    assertTrue(text.contains("libc.so"), platform + " shares no libc");
  }
}
