package restripe;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.management.InstanceNotFoundException;
import javax.management.JMException;
import javax.management.ObjectName;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.protocol.DatanodeInfo;
import org.apache.hadoop.hdfs.protocol.ErasureCodingPolicy;
import org.apache.hadoop.hdfs.protocol.ExtendedBlock;
import org.apache.hadoop.hdfs.protocol.LocatedBlock;
import org.apache.hadoop.hdfs.protocol.LocatedStripedBlock;
import org.apache.hadoop.hdfs.protocol.SystemErasureCodingPolicies;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.hdfs.tools.DFSck;
import org.apache.hadoop.hdfs.util.StripedBlockUtil;
import org.apache.hadoop.util.ToolRunner;

/** A name node and datanodes in this process that compute with our coders, and a client. */
final class Cluster implements AutoCloseable {
  private static final int LONGEST_WAIT_SECONDS = 120;

  private final Configuration configuration;
  private final MiniDFSCluster cluster;
  private final List<MiniDFSCluster.DataNodeProperties> stopped = new ArrayList<>();
  final DistributedFileSystem files;
  /** A client that computes with Hadoop's coders in Java. */
  final DistributedFileSystem javaFiles;

  Cluster(Path folder, int datanodes, boolean validating) throws IOException {
    configuration = new Configuration();
    configuration.setInt("dfs.heartbeat.interval", 1);
    configuration.setInt("dfs.namenode.redundancy.interval.seconds", 1);
    configuration.setInt("dfs.namenode.replication.max-streams", 20);
    configuration.setInt("dfs.namenode.replication.max-streams-hard-limit", 40);
    configuration.setBoolean("dfs.datanode.ec.reconstruction.validation", validating);
    // Nothing but ours: what cannot compute with them fails.
    for (String codec : new String[] {"rs", "rs-legacy", "xor"}) {
      configuration.set(
          "io.erasurecode.codec." + codec + ".rawcoders", codec + "_restripe_native");
    }
    cluster =
        new MiniDFSCluster.Builder(configuration, folder.toFile()).numDataNodes(datanodes).build();
    cluster.waitActive();
    files = cluster.getFileSystem();
    Configuration java = new Configuration(configuration);
    for (String codec : new String[] {"rs", "rs-legacy", "xor"}) {
      java.set("io.erasurecode.codec." + codec + ".rawcoders", codec + "_java");
    }
    javaFiles = (DistributedFileSystem) FileSystem.newInstance(cluster.getURI(), java);
  }

  static ErasureCodingPolicy policy(String name) {
    return SystemErasureCodingPolicies.getPolicies().stream()
        .filter(policy -> policy.getName().equals(name)).findFirst().get();
  }

  static org.apache.hadoop.fs.Path path(String name) {
    return new org.apache.hadoop.fs.Path("/" + name);
  }

  void write(DistributedFileSystem files, String name, String policy, byte[] bytes)
      throws IOException {
    this.files.enableErasureCodingPolicy(policy);
    try (FSDataOutputStream out =
        files.createFile(path(name)).ecPolicyName(policy).blockSize(16 << 20).build()) {
      out.write(bytes);
    }
  }

  /** Reads a file from its beginning to its end. */
  byte[] read(String name, int length) throws IOException {
    byte[] bytes = new byte[length];
    try (FSDataInputStream in = files.open(path(name))) {
      in.readFully(bytes);
    }
    return bytes;
  }

  /**
   * Reads a file by one call for all of its bytes. (Not where a block is corrupt: there Hadoop's
   * client, 3.5.0, gives wrong bytes to whoever reads so first, with its own coders too.)
   */
  byte[] readAt(String name, int length) throws IOException {
    byte[] bytes = new byte[length];
    try (FSDataInputStream in = files.open(path(name))) {
      in.readFully(0, bytes);
    }
    return bytes;
  }

  /** The one block group of a file. */
  LocatedStripedBlock group(String name) throws IOException {
    List<LocatedBlock> groups =
        files.getClient().getNamenode().getBlockLocations("/" + name, 0, Long.MAX_VALUE)
            .getLocatedBlocks();
    if (groups.size() != 1) {
      throw new IOException(groups.size() + " block groups");
    }
    return (LocatedStripedBlock) groups.get(0);
  }

  /** Uuids of the datanodes that have the internal blocks of a file, by index. */
  Map<Integer, String> datanodes(String name) throws IOException {
    Map<Integer, String> datanodes = new TreeMap<>();
    LocatedStripedBlock group = group(name);
    DatanodeInfo[] locations = group.getLocations();
    for (int i = 0; i < locations.length; i++) {
      datanodes.put((int) group.getBlockIndices()[i], locations[i].getDatanodeUuid());
    }
    return datanodes;
  }

  /** One internal block on the disk of its datanode. */
  static final class Stored {
    final Path data;
    final Path meta;

    Stored(Path data, Path meta) {
      this.data = data;
      this.meta = meta;
    }
  }

  /** The files of an internal block. */
  Stored stored(String name, ErasureCodingPolicy policy, int index) throws IOException {
    ExtendedBlock block =
        StripedBlockUtil.constructInternalBlock(
            group(name).getBlock(), policy.getCellSize(), policy.getNumDataUnits(), index);
    DataNode datanode = cluster.getDataNodes().get(number(datanodes(name).get(index)));
    Path data = null;
    Path meta = null;
    for (String folder : datanode.getConf().getTrimmedStrings("dfs.datanode.data.dir")) {
      Path root = Paths.get(URI.create(folder.replaceFirst("^\\[.*\\]", "")));
      try (Stream<Path> all = Files.walk(root)) {
        for (Path path : (Iterable<Path>) all::iterator) {
          String file = path.getFileName().toString();
          if (file.equals(block.getBlockName())) {
            data = path;
          } else if (file.startsWith(block.getBlockName() + "_") && file.endsWith(".meta")) {
            meta = path;
          }
        }
      }
    }
    if (data == null || meta == null) {
      throw new IOException("no " + block + " on " + datanode);
    }
    return new Stored(data, meta);
  }

  private int number(String uuid) {
    List<DataNode> datanodes = cluster.getDataNodes();
    for (int i = 0; i < datanodes.size(); i++) {
      if (datanodes.get(i).getDatanodeUuid().equals(uuid)) {
        return i;
      }
    }
    throw new IllegalArgumentException("no datanode " + uuid);
  }

  /** Stops a datanode; the name node goes on thinking that it lives. */
  DataNode stop(String uuid) {
    int number = number(uuid);
    DataNode datanode = cluster.getDataNodes().get(number);
    stopped.add(cluster.stopDataNode(number));
    return datanode;
  }

  /** Tells the name node that a datanode is dead: it has what was there rebuilt. */
  void declareDead(DataNode datanode) throws Exception {
    cluster.setDataNodeDead(datanode.getDatanodeId());
  }

  void restartAll() throws IOException {
    for (MiniDFSCluster.DataNodeProperties datanode : stopped) {
      cluster.restartDataNode(datanode, true);
    }
    stopped.clear();
    cluster.waitActive();
  }

  /** Waits until all internal blocks of a file are somewhere, none of them where it should not. */
  void waitUntilWhole(String name, int units, List<String> notOn) throws Exception {
    long deadline = System.nanoTime() + LONGEST_WAIT_SECONDS * 1_000_000_000L;
    Map<Integer, String> now = datanodes(name);
    while (now.size() != units || now.values().stream().anyMatch(notOn::contains)) {
      if (System.nanoTime() > deadline) {
        throw new IOException(name + " is on " + now + " only, and should not be on " + notOn);
      }
      Thread.sleep(100);
      now = datanodes(name);
    }
  }

  /** What {@code hdfs fsck /} says. */
  String fsck() throws Exception {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ToolRunner.run(
        new DFSck(configuration, new PrintStream(out, true, "UTF-8")), new String[] {"/"});
    return out.toString("UTF-8");
  }

  /** What an administrator sees of our coders; nothing before the first is made. */
  static long count(String attribute) {
    try {
      return (Long) ManagementFactory.getPlatformMBeanServer()
          .getAttribute(new ObjectName("restripe:type=RawCoders"), attribute);
    } catch (InstanceNotFoundException e) {
      return 0;
    } catch (JMException e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() throws IOException {
    javaFiles.close();
    cluster.shutdown();
  }
}
