package restripe.hadoop;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.StringJoiner;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.crypto.CryptoProtocolVersion;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.protocol.ClientProtocol;
import org.apache.hadoop.hdfs.protocol.DatanodeID;
import org.apache.hadoop.hdfs.protocol.DatanodeInfo;
import org.apache.hadoop.hdfs.protocol.ExtendedBlock;
import org.apache.hadoop.hdfs.protocol.LocatedBlock;
import org.apache.hadoop.hdfs.protocol.LocatedStripedBlock;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.io.EnumSetWritable;

/** A name node and datanodes in this process, with a client beside them. */
final class Cluster implements AutoCloseable {
  private static final String CLIENT = "restripe-test";

  private MiniDFSCluster cluster;
  private DistributedFileSystem files;
  private ClientProtocol nameNode;
  private LocatedBlock allocated;

  String run(String[] words) throws Exception {
    switch (words[0]) {
      case "start":
        return start(Path.of(words[1]), Integer.parseInt(words[2]));
      case "put":
        return put(words[1], Path.of(words[2]), words[3]);
      case "get":
        return get(words[1], Path.of(words[2]));
      case "locate":
        return locate(words[1]);
      case "allocate":
        return allocate(words[1]);
      case "complete":
        return complete(words[1], Long.parseLong(words[2]));
      case "stop":
        return stop(Integer.parseInt(words[1]));
      default:
        throw new IllegalArgumentException("no such command: " + words[0]);
    }
  }

  /** {@code start FOLDER DATANODES}. The answer is the ports of the datanodes. */
  private String start(Path folder, int datanodes) throws Exception {
    Configuration configuration = new Configuration();
    configuration.setInt("dfs.heartbeat.interval", 1);
    configuration.setInt("dfs.namenode.heartbeat.recheck-interval", 500);
    configuration.setInt("dfs.namenode.redundancy.interval.seconds", 1);
    configuration.setInt("dfs.namenode.fs-limits.min-block-size", 0);
    // The name node repairs nothing itself: what is whole again was written by the test.
    configuration.setInt("dfs.namenode.replication.max-streams", 0);
    configuration.setInt("dfs.namenode.replication.max-streams-hard-limit", 0);
    cluster = new MiniDFSCluster.Builder(configuration, new File(folder.toString()))
        .numDataNodes(datanodes).build();
    cluster.waitActive();
    files = cluster.getFileSystem();
    nameNode = files.getClient().getNamenode();
    StringJoiner ports = new StringJoiner(" ");
    for (DataNode node : cluster.getDataNodes()) {
      ports.add(Integer.toString(node.getXferPort()));
    }
    return ports.toString();
  }

  /** {@code put NAME FILE POLICY}: POLICY is an erasure-coding policy, or {@code replicated}. */
  private String put(String name, Path source, String policy) throws IOException {
    DistributedFileSystem.HdfsDataOutputStreamBuilder builder =
        files.createFile(new org.apache.hadoop.fs.Path("/" + name));
    if (policy.equals("replicated")) {
      builder.replicate().replication((short) 1);
    } else {
      files.enableErasureCodingPolicy(policy);
      builder.ecPolicyName(policy);
    }
    try (FSDataOutputStream out = builder.build()) {
      Files.copy(source, out);
    }
    return "";
  }

  /** {@code get NAME FILE}: reads a file as any client does. The answer is its length. */
  private String get(String name, Path target) throws IOException {
    try (FSDataInputStream in = files.open(new org.apache.hadoop.fs.Path("/" + name));
        OutputStream out = Files.newOutputStream(target)) {
      return Long.toString(in.transferTo(out));
    }
  }

  /**
   * {@code locate NAME}. The answer is the pool, id, generation stamp and length of the file's
   * one block or block group, then for each of its replicas or internal blocks its index and the
   * port of its datanode.
   */
  private String locate(String name) throws IOException {
    LocatedBlock located =
        nameNode.getBlockLocations("/" + name, 0, Long.MAX_VALUE).getLocatedBlocks().get(0);
    StringJoiner answer = new StringJoiner(" ").add(describe(located));
    DatanodeInfo[] nodes = located.getLocations();
    for (int i = 0; i < nodes.length; i++) {
      int index = located instanceof LocatedStripedBlock
          ? ((LocatedStripedBlock) located).getBlockIndices()[i] : 0;
      answer.add(index + ":" + nodes[i].getXferPort());
    }
    return answer.toString();
  }

  /** {@code allocate NAME}: a new file and its first block, to be written by somebody else. */
  private String allocate(String name) throws IOException {
    nameNode.create("/" + name, FsPermission.getFileDefault(), CLIENT,
        new EnumSetWritable<>(EnumSet.of(CreateFlag.CREATE)), true, (short) 1, 1 << 27,
        CryptoProtocolVersion.supported(), null, null);
    allocated = nameNode.addBlock("/" + name, CLIENT, null, null, 0, null, null);
    return describe(allocated) + " 0:" + allocated.getLocations()[0].getXferPort();
  }

  /** {@code complete NAME LENGTH}: the block allocated last is written and has that length. */
  private String complete(String name, long length) throws Exception {
    ExtendedBlock block = new ExtendedBlock(allocated.getBlock());
    block.setNumBytes(length);
    for (int attempt = 0; !nameNode.complete("/" + name, CLIENT, block, 0); attempt++) {
      if (attempt == 100) {
        throw new IOException("no datanode has reported the block");
      }
      Thread.sleep(100);
    }
    return "";
  }

  /** {@code stop PORT}: the datanode dies, and the name node knows it. */
  private String stop(int port) throws Exception {
    for (int i = 0; i < cluster.getDataNodes().size(); i++) {
      DataNode node = cluster.getDataNodes().get(i);
      if (node.getXferPort() == port) {
        DatanodeID id = node.getDatanodeId();
        cluster.stopDataNode(i);
        cluster.setDataNodeDead(id);
        return "";
      }
    }
    throw new IllegalArgumentException("no datanode has port " + port);
  }

  private static String describe(LocatedBlock located) {
    ExtendedBlock block = located.getBlock();
    return String.join(" ", block.getBlockPoolId(), Long.toString(block.getBlockId()),
        Long.toString(block.getGenerationStamp()), Long.toString(block.getNumBytes()));
  }

  @Override
  public void close() {
    if (cluster != null) {
      cluster.shutdown();
    }
  }
}
