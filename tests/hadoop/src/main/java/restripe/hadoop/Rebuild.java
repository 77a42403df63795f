package restripe.hadoop;

import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.StorageType;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.protocol.DatanodeInfo;
import org.apache.hadoop.hdfs.protocol.ErasureCodingPolicy;
import org.apache.hadoop.hdfs.protocol.ExtendedBlock;
import org.apache.hadoop.hdfs.protocol.LocatedStripedBlock;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.hdfs.server.protocol.BlockECReconstructionCommand.BlockECReconstructionInfo;
import org.apache.hadoop.metrics2.lib.MutableCounterLong;

/**
 * Times Hadoop's own reconstruction of lost blocks, as a datanode carries it out: without the name
 * node, which would add seconds of waiting. {@code FOLDER POLICY MEBIBYTES LOST RUNS}; the answer
 * is a row of a table. {@code benches/rebuild_by_hadoop} calls it.
 */
public final class Rebuild {
  private final MiniDFSCluster cluster;
  private final ErasureCodingPolicy policy;
  private final long blockLength;
  private final int lost;

  private Rebuild(MiniDFSCluster cluster, String policy, long blockLength, int lost)
      throws IOException {
    this.cluster = cluster;
    this.blockLength = blockLength;
    this.lost = lost;
    cluster.getFileSystem().enableErasureCodingPolicy(policy);
    this.policy = cluster.getFileSystem().getAllErasureCodingPolicies().stream()
        .map(info -> info.getPolicy()).filter(each -> each.getName().equals(policy))
        .findFirst().orElseThrow();
  }

  public static void main(String[] arguments) throws Exception {
    String policy = arguments[1];
    String[] parts = policy.split("-");
    int units = Integer.parseInt(parts[1]) + Integer.parseInt(parts[2]);
    long blockLength = Long.parseLong(arguments[2]) << 20;
    int lost = Integer.parseInt(arguments[3]);
    int runs = Integer.parseInt(arguments[4]);
    Configuration configuration = new Configuration();
    configuration.setLong("dfs.blocksize", blockLength);
    // The name node repairs nothing itself.
    configuration.setInt("dfs.namenode.replication.max-streams", 0);
    configuration.setInt("dfs.namenode.replication.max-streams-hard-limit", 0);
    try (MiniDFSCluster cluster =
        new MiniDFSCluster.Builder(configuration, new File(arguments[0]))
            .numDataNodes(units + lost).storagesPerDatanode(1).build()) {
      cluster.waitActive();
      Rebuild rebuild = new Rebuild(cluster, policy, blockLength, lost);
      List<double[]> samples = new ArrayList<>();
      // The first run warms up.
      for (int run = 0; run <= runs; run++) {
        double[] sample = rebuild.run("/file" + run);
        if (run > 0) {
          samples.add(sample);
        }
      }
      rebuild.report(samples);
    }
    System.exit(0);
  }

  /** Seconds: all of it, reading, computing, sending. */
  private double[] run(String name) throws Exception {
    LocatedStripedBlock group = write(name);
    List<DatanodeInfo> nodes = new ArrayList<>(Arrays.asList(
        cluster.getFileSystem().getDataNodeStats()));
    List<DatanodeInfo> sources = new ArrayList<>();
    byte[] live = new byte[group.getBlockIndices().length - lost];
    for (int i = 0; i < group.getLocations().length; i++) {
      DatanodeInfo node = group.getLocations()[i];
      nodes.remove(node);
      if (group.getBlockIndices()[i] >= lost) {
        live[sources.size()] = group.getBlockIndices()[i];
        sources.add(node);
      }
    }
    DatanodeInfo[] targets = nodes.subList(0, lost).toArray(new DatanodeInfo[0]);
    String[] storages = new String[lost];
    StorageType[] types = new StorageType[lost];
    for (int i = 0; i < lost; i++) {
      storages[i] = datanode(targets[i]).getFSDataset()
          .getStorageReports(group.getBlock().getBlockPoolId())[0].getStorage().getStorageID();
      types[i] = StorageType.DISK;
    }
    BlockECReconstructionInfo task = new BlockECReconstructionInfo(group.getBlock(),
        sources.toArray(new DatanodeInfo[0]), targets, storages, types, live, new byte[0], policy);

    DataNode worker = datanode(targets[0]);
    String[] times = {"Read", "Decoding", "Write"};
    double[] sample = new double[1 + times.length];
    for (int i = 0; i < times.length; i++) {
      sample[i + 1] = -count(worker, "ecReconstruction" + times[i] + "TimeMillis") / 1e3;
    }
    long tasks = count(worker, "ecReconstructionTasks");
    long begun = System.nanoTime();
    worker.getErasureCodingWorker().processErasureCodingTasks(List.of(task));
    while (count(worker, "ecReconstructionTasks") == tasks) {
      Thread.sleep(1);
    }
    sample[0] = (System.nanoTime() - begun) / 1e9;
    if (count(worker, "ecFailedReconstructionTasks") != 0) {
      throw new IOException("the reconstruction failed");
    }
    for (int i = 0; i < times.length; i++) {
      sample[i + 1] += count(worker, "ecReconstruction" + times[i] + "TimeMillis") / 1e3;
    }
    for (int i = 0; i < lost; i++) {
      check(group.getBlock(), i, datanode(targets[i]));
    }
    cluster.getFileSystem().delete(new Path(name), false);
    return sample;
  }

  private LocatedStripedBlock write(String name) throws IOException {
    DistributedFileSystem files = cluster.getFileSystem();
    byte[] bytes = new byte[1 << 20];
    new Random(1).nextBytes(bytes);
    Path path = new Path(name);
    try (FSDataOutputStream out = files.createFile(path).ecPolicyName(policy.getName()).build()) {
      for (long left = blockLength * policy.getNumDataUnits(); left > 0; left -= bytes.length) {
        out.write(bytes);
      }
    }
    return (LocatedStripedBlock) files.getClient().getLocatedBlocks(name, 0).get(0);
  }

  private DataNode datanode(DatanodeInfo info) {
    return cluster.getDataNodes().stream()
        .filter(node -> node.getDatanodeUuid().equals(info.getDatanodeUuid()))
        .findFirst().orElseThrow();
  }

  /** The rebuilt block is there, and as long as it should be. */
  private void check(ExtendedBlock group, int index, DataNode node) throws Exception {
    ExtendedBlock block = new ExtendedBlock(group);
    block.setBlockId(group.getBlockId() + index);
    // The last packet has been sent, and may not have been stored yet.
    for (int attempt = 0; length(node, block) != blockLength; attempt++) {
      if (attempt == 1000) {
        throw new IOException("block " + index + " was not rebuilt");
      }
      Thread.sleep(1);
    }
  }

  private static long length(DataNode node, ExtendedBlock block) throws IOException {
    try {
      return node.getFSDataset().getLength(block);
    } catch (FileNotFoundException notYet) {
      return -1;
    }
  }

  private static long count(DataNode node, String name) throws ReflectiveOperationException {
    Field field = node.getMetrics().getClass().getDeclaredField(name);
    field.setAccessible(true);
    return ((MutableCounterLong) field.get(node.getMetrics())).value();
  }

  private void report(List<double[]> samples) {
    double[] seconds = samples.stream().mapToDouble(sample -> sample[0]).sorted().toArray();
    double bytes = (double) blockLength * (policy.getNumDataUnits() + lost) / 1e9;
    double[] shares = new double[3];
    for (int i = 0; i < shares.length; i++) {
      int place = i + 1;
      shares[i] = samples.stream().mapToDouble(sample -> sample[place] / sample[0] * 100).sorted()
          .skip(samples.size() / 2).findFirst().orElseThrow();
    }
    System.out.printf("| %s | %d | %.3f (%.3f to %.3f) | %.0f %% | %.0f %% | %.0f %% |%n",
        policy.getName(), lost, bytes / seconds[seconds.length / 2],
        bytes / seconds[seconds.length - 1], bytes / seconds[0],
        shares[0], shares[1], shares[2]);
  }
}
