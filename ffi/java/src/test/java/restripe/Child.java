package restripe;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Another virtual machine with the classes of the tests. */
final class Child {
  final int status;
  final String output;

  private Child(int status, String output) {
    this.status = status;
    this.output = output;
  }

  /** Runs a class: options of the machine, then its name. */
  static Child run(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Paths.get(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(Arrays.asList("-cp", System.getProperty("java.class.path"), "-Xmx256m"));
    command.addAll(Arrays.asList(arguments));
    Path output = Files.createTempFile("restripe-child", ".txt");
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true).redirectOutput(output.toFile()).start();
      if (!process.waitFor(120, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new IOException("it did not end: " + command);
      }
      byte[] bytes = Files.readAllBytes(output);
      return new Child(process.exitValue(), new String(bytes, StandardCharsets.UTF_8));
    } finally {
      Files.delete(output);
    }
  }

  @Override
  public String toString() {
    return "status " + status + ": " + output;
  }
}
