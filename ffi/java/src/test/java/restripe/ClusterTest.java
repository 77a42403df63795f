package restripe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.hadoop.hdfs.protocol.ErasureCodingPolicy;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A real cluster whose client and datanodes compute with us. */
@Timeout(600)
class ClusterTest {
  private static final String[] POLICIES = {
    "RS-6-3-1024k", "RS-3-2-1024k", "RS-10-4-1024k", "XOR-2-1-1024k", "RS-LEGACY-6-3-1024k"
  };

  /** As many datanodes as a group of RS-10-4 has, and two to rebuild on. */
  private static final int DATANODES = 16;

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    return bytes;
  }

  /** Two stripes, and one whose last cell is short. */
  private static int length(ErasureCodingPolicy policy) {
    return policy.getCellSize() * (2 * policy.getNumDataUnits() + 1) - 12_345;
  }

  private static int units(ErasureCodingPolicy policy) {
    return policy.getNumDataUnits() + policy.getNumParityUnits();
  }

  /** Data and {@code .meta} of every internal block. */
  private static Map<Integer, byte[][]> blocks(
      Cluster cluster, String name, ErasureCodingPolicy policy) throws Exception {
    Map<Integer, byte[][]> blocks = new TreeMap<>();
    for (int index : cluster.datanodes(name).keySet()) {
      Cluster.Stored stored = cluster.stored(name, policy, index);
      blocks.put(
          index, new byte[][] {Files.readAllBytes(stored.data), Files.readAllBytes(stored.meta)});
    }
    return blocks;
  }

  private static void assertSame(
      String what, Map<Integer, byte[][]> expected, Map<Integer, byte[][]> got) {
    assertEquals(expected.keySet(), got.keySet(), what);
    for (int index : expected.keySet()) {
      assertArrayEquals(expected.get(index)[0], got.get(index)[0], what + ", block " + index);
      assertArrayEquals(expected.get(index)[1], got.get(index)[1], what + ", .meta " + index);
    }
  }

  /** A life of a file: written, read without some of its blocks, rebuilt. */
  private static void live(Cluster cluster, String policyName) throws Exception {
    ErasureCodingPolicy policy = Cluster.policy(policyName);
    byte[] bytes = random(length(policy));
    cluster.write(cluster.javaFiles, "java", policyName, bytes);
    long encodes = Cluster.count("Encodes");
    cluster.write(cluster.files, "ours", policyName, bytes);
    assertEquals(3, Cluster.count("Encodes") - encodes, policyName + ": one call a stripe");
    Map<Integer, byte[][]> java = blocks(cluster, "java", policy);
    assertEquals(units(policy), java.size());
    assertSame(policyName + ", written", java, blocks(cluster, "ours", policy));

    // As many as may be lost and be rebuilt on the datanodes left: a data unit, a parity unit.
    int losses = Math.min(policy.getNumParityUnits(), DATANODES - units(policy));
    List<Integer> lost = new ArrayList<>();
    List<String> uuids = new ArrayList<>();
    List<DataNode> dead = new ArrayList<>();
    Map<Integer, String> datanodes = cluster.datanodes("ours");
    for (int i = 0; i < losses; i++) {
      int index = i % 2 == 0 ? i / 2 : units(policy) - 1 - i / 2;
      lost.add(index);
      uuids.add(datanodes.get(index));
      dead.add(cluster.stop(datanodes.get(index)));
    }
    // The name node does not know it yet, so it is the client alone that decodes.
    long decodes = Cluster.count("Decodes");
    assertArrayEquals(bytes, cluster.read("ours", bytes.length), policyName + ", read");
    assertArrayEquals(bytes, cluster.readAt("ours", bytes.length), policyName + ", read at once");
    assertTrue(Cluster.count("Decodes") > decodes, policyName + ": the client decodes with us");

    assertTrue(cluster.files.delete(Cluster.path("java"), false));
    decodes = Cluster.count("Decodes");
    long decoded = Cluster.count("DecodedBytes");
    for (DataNode datanode : dead) {
      cluster.declareDead(datanode);
    }
    cluster.waitUntilWhole("ours", units(policy), uuids);
    assertTrue(Cluster.count("Decodes") > decodes, policyName + ": datanodes decode with us");
    long rebuilt = lost.stream().mapToLong(index -> java.get(index)[0].length).sum();
    assertTrue(Cluster.count("DecodedBytes") - decoded >= rebuilt, policyName);
    assertSame(policyName + ", rebuilt", java, blocks(cluster, "ours", policy));
    assertArrayEquals(bytes, cluster.read("ours", bytes.length), policyName + ", at last");
    String fsck = cluster.fsck();
    assertTrue(fsck.contains("is HEALTHY"), fsck);
    assertTrue(cluster.files.delete(Cluster.path("ours"), false));
    cluster.restartAll();
  }

  @Test
  void everyPolicyIsWrittenReadDegradedAndRebuilt(@TempDir Path folder) throws Exception {
    try (Cluster cluster = new Cluster(folder, DATANODES, false)) {
      for (String policy : POLICIES) {
        live(cluster, policy);
      }
    }
  }

  @Test
  void datanodesThatValidateFindNothingToComplainOf(@TempDir Path folder) throws Exception {
    try (Cluster cluster = new Cluster(folder, 12, true)) {
      live(cluster, "RS-6-3-1024k");
      live(cluster, "RS-LEGACY-6-3-1024k");
    }
  }

  @Test
  void whatIsCorruptOnADiskIsNoticedAndRebuilt(@TempDir Path folder) throws Exception {
    String name = "file";
    ErasureCodingPolicy policy = Cluster.policy("RS-6-3-1024k");
    byte[] bytes = random(length(policy));
    try (Cluster cluster = new Cluster(folder, 11, false)) {
      cluster.write(cluster.files, name, policy.getName(), bytes);
      Map<Integer, byte[][]> whole = blocks(cluster, name, policy);
      Cluster.Stored stored = cluster.stored(name, policy, 2);
      try (RandomAccessFile file = new RandomAccessFile(stored.data.toFile(), "rw")) {
        file.seek(1_500_000);
        int before = file.read();
        file.seek(1_500_000);
        file.write(~before);
      }
      assertFalse(Arrays.equals(whole.get(2)[0], Files.readAllBytes(stored.data)));
      String corrupt = cluster.datanodes(name).get(2);
      long decodes = Cluster.count("Decodes");
      assertArrayEquals(bytes, cluster.read(name, bytes.length));
      assertTrue(Cluster.count("Decodes") > decodes, "the client decodes around it");
      // The client has told the name node, which has it rebuilt elsewhere.
      cluster.waitUntilWhole(name, units(policy), Collections.singletonList(corrupt));
      assertSame("rebuilt", whole, blocks(cluster, name, policy));
      String fsck = cluster.fsck();
      assertTrue(fsck.contains("is HEALTHY"), fsck);
    }
  }
}
