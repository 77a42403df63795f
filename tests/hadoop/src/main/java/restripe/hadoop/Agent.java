package restripe.hadoop;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * Does with Hadoop's own classes what it is told line by line on standard input, and answers each
 * line with one line: {@code ok ...} or {@code failed CLASS MESSAGE}. It ends with its input, so
 * it never outlives the test that started it.
 */
public final class Agent {
  private Agent() {}

  public static void main(String[] arguments) throws IOException {
    // Whatever a library prints must not be taken for an answer.
    PrintStream answers = System.out;
    System.setOut(System.err);
    BufferedReader commands =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    try (Cluster cluster = new Cluster()) {
      for (String line = commands.readLine(); line != null; line = commands.readLine()) {
        String answer;
        try {
          answer = ("ok " + run(line.split(" "), cluster)).trim();
        } catch (Exception | Error failure) {
          failure.printStackTrace();
          String message = String.valueOf(failure.getMessage()).replaceAll("\\s+", " ");
          answer = "failed " + failure.getClass().getSimpleName() + " " + message;
        }
        answers.println(answer);
        answers.flush();
      }
    }
    // Hadoop leaves threads behind that would keep the process alive.
    System.exit(0);
  }

  private static String run(String[] words, Cluster cluster) throws Exception {
    switch (words[0]) {
      case "messages":
        return Messages.all();
      case "read":
        return BlockClient.read(words);
      case "write":
        return BlockClient.write(words);
      default:
        return cluster.run(words);
    }
  }
}
