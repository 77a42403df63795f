package restripe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.io.erasurecode.CodecUtil;
import org.apache.hadoop.io.erasurecode.ErasureCoderOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where the library is looked for, and what happens where it is not. */
class LoaderTest {
  private static final String SELF_TEST = "restripe.SelfTest";

  /** A copy of the library in the jar for this machine. */
  private static Path libraryIn(Path folder) throws IOException {
    String machine = System.getProperty("os.arch").equals("amd64") ? "x86_64" : "aarch64";
    String resource = "native/linux-" + machine + "-gnu/librestripe_jni.so";
    Path file = folder.resolve("librestripe_jni.so");
    try (InputStream library = Loader.class.getResourceAsStream(resource)) {
      Files.copy(library, file);
    }
    return file;
  }

  private static int entries(Path folder) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      return (int) entries.count();
    }
  }

  @Test
  void theSelfTestPassesWithTheLibraryInTheJar(@TempDir Path folder) throws Exception {
    Child child = Child.run("-Djava.io.tmpdir=" + folder, SELF_TEST);
    assertEquals(0, child.status, child.output);
    assertTrue(child.output.contains("library    the jar (linux-"), child.output);
    assertTrue(child.output.contains("kernel     " + Restripe.kernel()), child.output);
    assertTrue(child.output.contains("GB/s"), child.output);
    assertFalse(child.output.contains("FAILED"), child.output);
    assertEquals(0, entries(folder), "copies are removed");
  }

  @Test
  void theMachinesOwnChecksFindNothing() throws Exception {
    Child child = Child.run("-Xcheck:jni", SELF_TEST);
    assertEquals(0, child.status, child.output);
    assertFalse(child.output.contains("WARNING"), child.output);
    assertFalse(child.output.contains("FATAL"), child.output);
  }

  @Test
  void theLibraryPathComesBeforeTheJar(@TempDir Path folder) throws Exception {
    Path file = libraryIn(folder);
    Child child = Child.run("-Djava.library.path=/nowhere:" + folder, SELF_TEST);
    assertEquals(0, child.status, child.output);
    assertTrue(child.output.contains("library    " + file), child.output);
    // What cannot be loaded there is no reason to go without.
    Files.write(file, new byte[] {1, 2, 3});
    child = Child.run("-Djava.library.path=" + folder, SELF_TEST);
    assertEquals(0, child.status, child.output);
    assertTrue(child.output.contains("library    the jar"), child.output);
  }

  @Test
  void aFileThatIsNamedIsTheOnlyOne(@TempDir Path folder) throws Exception {
    Path file = libraryIn(folder);
    Child child = Child.run("-Drestripe.library=" + file, SELF_TEST);
    assertEquals(0, child.status, child.output);
    assertTrue(child.output.contains("library    " + file), child.output);
    child = Child.run("-Drestripe.library=" + folder.resolve("nothing"), SELF_TEST);
    assertEquals(1, child.status, child.output);
    assertTrue(child.output.contains("no native library to work with: "), child.output);
    assertTrue(child.output.contains("nothing"), child.output);
  }

  @Test
  void aTemporaryFolderThatCannotBeUsedIsNoReasonToGoWithout(@TempDir Path home) throws Exception {
    Child child =
        Child.run("-Djava.io.tmpdir=/dev/null/folder", "-Duser.home=" + home, SELF_TEST);
    assertEquals(0, child.status, child.output);
    assertTrue(Files.isDirectory(home.resolve(".cache")));
    assertEquals(0, entries(home.resolve(".cache")));
    child = Child.run("-Drestripe.extract.dir=/dev/null/folder", SELF_TEST);
    assertEquals(1, child.status, child.output);
    assertTrue(child.output.contains("/dev/null/folder"), child.output);
  }

  @Test
  void aFolderThatIsMountedNoexecIsNoReasonToGoWithout(@TempDir Path home) throws Exception {
    Path folder = null;
    for (String mount : Files.readAllLines(Paths.get("/proc/mounts"))) {
      String[] words = mount.split(" ");
      Path path = Paths.get(words[1].replace("\\040", " "));
      boolean fits = words[2].equals("tmpfs") && (',' + words[3] + ',').contains(",noexec,");
      if (fits && Files.isWritable(path)) {
        folder = path;
      }
    }
    assumeTrue(folder != null, "no writable folder here is mounted noexec");
    Child child = Child.run("-Djava.io.tmpdir=" + folder, "-Duser.home=" + home, SELF_TEST);
    assertEquals(0, child.status, child.output);
    assertTrue(Files.isDirectory(home.resolve(".cache")), "it was not tried");
    child = Child.run("-Drestripe.extract.dir=" + folder, SELF_TEST);
    assertEquals(1, child.status, child.output);
  }

  /** Prints the classes of the coders that Hadoop makes. */
  public static final class Coders {
    private Coders() {}

    public static void main(String[] arguments) {
      Configuration configuration = new Configuration();
      configuration.set("io.erasurecode.codec.rs.rawcoders", "rs_restripe_native,rs_java");
      if (arguments.length > 0) {
        configuration.setBoolean("io.erasurecode.codec.native.enabled", false);
      }
      for (int i = 0; i < 3; i++) {
        ErasureCoderOptions options = new ErasureCoderOptions(6, 3);
        System.out.println(
            CodecUtil.createRawEncoder(configuration, "rs", options).getClass().getSimpleName());
        System.out.println(
            CodecUtil.createRawDecoder(configuration, "rs", options).getClass().getSimpleName());
      }
    }
  }

  @Test
  void withoutALibraryHadoopGoesOnWithTheNextCoderAndIsToldOnce() throws Exception {
    String coders = Coders.class.getName();
    Child child = Child.run(coders);
    assertEquals(3, child.output.split("RestripeRawEncoder", -1).length - 1, child.output);
    assertEquals(3, child.output.split("RestripeRawDecoder", -1).length - 1, child.output);
    assertEquals(
        1, child.output.split("computes erasure codes: kernel ", -1).length - 1, child.output);

    child = Child.run("-Drestripe.library=/nowhere/librestripe_jni.so", coders);
    assertEquals(0, child.status, child.output);
    assertEquals(3, child.output.split("RSRawEncoder", -1).length - 1, child.output);
    assertEquals(3, child.output.split("RSRawDecoder", -1).length - 1, child.output);
    assertEquals(
        1, child.output.split("no native library to work with", -1).length - 1, child.output);

  }

  @Test
  void hadoopsSwitchForNativeCodersIsOneForThese() throws Exception {
    boolean hasSwitch =
        Arrays.stream(CodecUtil.class.getFields())
            .anyMatch(field -> field.getName().equals("IO_ERASURECODE_CODEC_NATIVE_ENABLED_KEY"));
    assumeTrue(hasSwitch, "Hadoop has it from 3.4 on");
    Child child = Child.run(Coders.class.getName(), "disabled");
    assertEquals(3, child.output.split("RSRawEncoder", -1).length - 1, child.output);
  }
}
