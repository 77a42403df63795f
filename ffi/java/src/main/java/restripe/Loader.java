package restripe;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Finds the native library for this machine and loads it.
 *
 * <p>First comes the file that the system property {@code restripe.library} names, then the folders
 * of {@code java.library.path}, then the libraries inside the jar. One of those is copied to a file
 * that is removed as soon as it is loaded: in the folder {@code restripe.extract.dir}, or else
 * {@code java.io.tmpdir}, or, where that does not let code be loaded (it may be mounted noexec),
 * {@code .cache} in the home of the user.
 */
final class Loader {
  static final String LIBRARY_PROPERTY = "restripe.library";
  static final String FOLDER_PROPERTY = "restripe.extract.dir";

  private static final String FILE = System.mapLibraryName("restripe_jni");

  private final Set<String> failures = new LinkedHashSet<>();

  /** Where the library was loaded from; null where none could be. */
  String load() {
    try {
      String file = System.getProperty(LIBRARY_PROPERTY);
      if (file != null) {
        return load(Paths.get(file)) ? file : null;
      }
      for (String folder : System.getProperty("java.library.path", "").split(File.pathSeparator)) {
        Path path = Paths.get(folder.isEmpty() ? "." : folder, FILE).toAbsolutePath();
        if (Files.isRegularFile(path) && load(path)) {
          return path.toString();
        }
      }
      return loadFromJar();
    } catch (OtherInterface e) {
      failures.add(e.getMessage());
      return null;
    }
  }

  /** What was tried, and what came of it. */
  String whyNot() {
    return "restripe has no native library to work with: " + String.join("; ", failures);
  }

  private String loadFromJar() throws OtherInterface {
    for (String platform : platforms()) {
      String resource = "native/" + platform + "/" + FILE;
      if (Loader.class.getResource(resource) == null) {
        failures.add("the jar has none for " + platform);
        continue;
      }
      for (Path folder : folders()) {
        if (loadCopy(resource, folder)) {
          return "the jar (" + platform + ")";
        }
      }
    }
    return null;
  }

  /** A folder of its own in that folder keeps others from putting their library there. */
  private boolean loadCopy(String resource, Path folder) throws OtherInterface {
    Path own = null;
    try {
      Files.createDirectories(folder);
      own = Files.createTempDirectory(folder, "restripe-");
      try (InputStream library = Loader.class.getResourceAsStream(resource)) {
        Files.copy(library, own.resolve(FILE));
      }
      return load(own.resolve(FILE).toAbsolutePath());
    } catch (IOException | SecurityException e) {
      failures.add(folder + ": " + e);
      return false;
    } finally {
      // What is loaded stays loaded.
      delete(own == null ? null : own.resolve(FILE));
      delete(own);
    }
  }

  private static void delete(Path path) {
    try {
      if (path != null) {
        Files.deleteIfExists(path);
      }
    } catch (IOException | SecurityException e) {
      path.toFile().deleteOnExit();
    }
  }

  private boolean load(Path file) throws OtherInterface {
    try {
      System.load(file.toAbsolutePath().toString());
    } catch (UnsatisfiedLinkError | RuntimeException e) {
      // The latter where native code is not allowed, by a security manager or by Java itself.
      failures.add(e.getMessage());
      return false;
    }
    // From here on its methods are those that count, whatever is loaded later.
    int found = 0;
    try {
      found = Native.interfaceVersion();
    } catch (UnsatisfiedLinkError e) {
      // It is some other library, or one from before there was that method.
    }
    if (found != Native.INTERFACE) {
      throw new OtherInterface(
          file + " has version " + found + " of the interface, and these classes "
              + Native.INTERFACE);
    }
    return true;
  }

  private static List<Path> folders() {
    List<Path> folders = new ArrayList<>();
    String configured = System.getProperty(FOLDER_PROPERTY);
    if (configured != null) {
      folders.add(Paths.get(configured));
      return folders;
    }
    folders.add(Paths.get(System.getProperty("java.io.tmpdir", "/tmp")));
    String home = System.getProperty("user.home");
    if (home != null) {
      folders.add(Paths.get(home, ".cache"));
    }
    return folders;
  }

  /** Names of the folders in the jar that may fit this machine, the likelier first. */
  private static List<String> platforms() {
    String os = System.getProperty("os.name", "").toLowerCase(Locale.ROOT);
    String machine = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
    machine = machine.equals("amd64") ? "x86_64" : machine.equals("arm64") ? "aarch64" : machine;
    List<String> platforms = new ArrayList<>();
    if (os.contains("linux")) {
      boolean musl = runsOnMusl();
      platforms.add("linux-" + machine + (musl ? "-musl" : "-gnu"));
      platforms.add("linux-" + machine + (musl ? "-gnu" : "-musl"));
    } else {
      String name = os.contains("mac") ? "macos" : os.contains("windows") ? "windows" : os;
      platforms.add(name + "-" + machine);
    }
    return platforms;
  }

  /** Whether this process has musl's C library in memory. */
  private static boolean runsOnMusl() {
    try {
      byte[] maps = Files.readAllBytes(Paths.get("/proc/self/maps"));
      return new String(maps, StandardCharsets.ISO_8859_1).contains("ld-musl-");
    } catch (IOException | SecurityException e) {
      return false;
    }
  }

  /** A library was loaded that does not go with these classes. */
  private static final class OtherInterface extends Exception {
    private static final long serialVersionUID = 1;

    OtherInterface(String message) {
      super(message);
    }
  }
}
