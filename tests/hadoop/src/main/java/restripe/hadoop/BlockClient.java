package restripe.hadoop;

import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.StorageType;
import org.apache.hadoop.hdfs.BlockReader;
import org.apache.hadoop.hdfs.DFSPacket;
import org.apache.hadoop.hdfs.DFSUtilClient;
import org.apache.hadoop.hdfs.client.impl.BlockReaderRemote;
import org.apache.hadoop.hdfs.net.Peer;
import org.apache.hadoop.hdfs.protocol.DatanodeID;
import org.apache.hadoop.hdfs.protocol.DatanodeInfo;
import org.apache.hadoop.hdfs.protocol.ExtendedBlock;
import org.apache.hadoop.hdfs.protocol.datatransfer.BlockConstructionStage;
import org.apache.hadoop.hdfs.protocol.datatransfer.PacketHeader;
import org.apache.hadoop.hdfs.protocol.datatransfer.PipelineAck;
import org.apache.hadoop.hdfs.protocol.datatransfer.Sender;
import org.apache.hadoop.hdfs.protocol.proto.DataTransferProtos.BlockOpResponseProto;
import org.apache.hadoop.hdfs.protocol.proto.DataTransferProtos.Status;
import org.apache.hadoop.hdfs.protocolPB.PBHelperClient;
import org.apache.hadoop.hdfs.security.token.block.BlockTokenIdentifier;
import org.apache.hadoop.hdfs.server.datanode.CachingStrategy;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.util.DataChecksum;

/** Reads and writes single blocks with the classes that Hadoop's client reads and writes with. */
final class BlockClient {
  private static final String POOL = "BP-restripe";
  private static final int TIMEOUT_MILLISECONDS = 20_000;

  private BlockClient() {}

  /**
   * {@code read PORT BLOCK STAMP BLOCK_LENGTH OFFSET LENGTH FILE}: what Hadoop's remote block
   * reader reads goes into the file. The answer is how many bytes those were.
   */
  static String read(String[] words) throws IOException {
    int port = Integer.parseInt(words[1]);
    ExtendedBlock block = block(words[2], words[3], words[4]);
    long offset = Long.parseLong(words[5]);
    long length = Long.parseLong(words[6]);
    long read = 0;
    BlockReader reader =
        BlockReaderRemote.newBlockReader(
            "file", block, new Token<BlockTokenIdentifier>(), offset, length, true, "hadoop",
            peer(port), new DatanodeID("127.0.0.1", "localhost", "", port, 0, 0, 0), null,
            CachingStrategy.newDefaultStrategy(), 0, new Configuration(false));
    try (OutputStream file = Files.newOutputStream(Path.of(words[7]))) {
      byte[] buffer = new byte[100_000];
      for (int count = 0; read < length && count >= 0; read += Math.max(count, 0)) {
        count = reader.read(buffer, 0, (int) Math.min(buffer.length, length - read));
        file.write(buffer, 0, Math.max(count, 0));
      }
    } finally {
      reader.close();
    }
    return Long.toString(read);
  }

  /**
   * {@code write PORT BLOCK STAMP FLUSH FILE}: sends a file as a block, in packets that Hadoop
   * lays out, with a flush in the middle of a chunk after FLUSH bytes and that chunk again from
   * its start, as after hflush. The answer is the numbers of the packets acknowledged.
   */
  static String write(String[] words) throws IOException {
    int port = Integer.parseInt(words[1]);
    int flush = Integer.parseInt(words[4]);
    byte[] data = Files.readAllBytes(Path.of(words[5]));
    DataChecksum checksum = DataChecksum.newDataChecksum(DataChecksum.Type.CRC32C, 512);
    try (Peer peer = peer(port)) {
      DataOutputStream out =
          new DataOutputStream(new BufferedOutputStream(peer.getOutputStream(), 1 << 16));
      DataInputStream in = new DataInputStream(peer.getInputStream());
      new Sender(out)
          .writeBlock(
              block(words[2], words[3], "0"), StorageType.DISK, new Token<BlockTokenIdentifier>(),
              "hadoop", new DatanodeInfo[0], new StorageType[0], null,
              BlockConstructionStage.PIPELINE_SETUP_CREATE, 1, 0, 0, 0, checksum,
              CachingStrategy.newDefaultStrategy(), false, false, new boolean[0], null,
              new String[0]);
      BlockOpResponseProto answer =
          BlockOpResponseProto.parseFrom(PBHelperClient.vintPrefixed(in));
      if (answer.getStatus() != Status.SUCCESS) {
        throw new IOException(answer.getStatus() + ": " + answer.getMessage());
      }
      List<Long> acknowledged = new ArrayList<>();
      long seqno = 0;
      int offset = 0;
      while (offset < data.length) {
        int end = Math.min(data.length, offset + 126 * 512);
        if (offset < flush && flush < end) {
          end = flush;
        }
        send(out, data, offset, end, seqno++, checksum, false);
        acknowledged.add(acknowledge(in));
        offset = end == flush ? end - end % 512 : end;
        // Past the flush once only.
        flush = end == flush ? 0 : flush;
      }
      send(out, data, offset, offset, DFSPacket.HEART_BEAT_SEQNO, checksum, false);
      acknowledged.add(acknowledge(in));
      send(out, data, offset, offset, seqno, checksum, true);
      acknowledged.add(acknowledge(in));
      return acknowledged.toString();
    }
  }

  private static void send(
      DataOutputStream out, byte[] data, int start, int end, long seqno, DataChecksum checksum,
      boolean last)
      throws IOException {
    int length = end - start;
    int chunks = (length + 511) / 512;
    byte[] sums = new byte[4 * chunks];
    checksum.calculateChunkedSums(data, start, length, sums, 0);
    byte[] buffer = new byte[PacketHeader.PKT_MAX_HEADER_LEN + sums.length + length];
    DFSPacket packet = new DFSPacket(buffer, chunks, start, seqno, 4, last);
    packet.writeChecksum(sums, 0, sums.length);
    packet.writeData(ByteBuffer.wrap(data, start, length), length);
    packet.writeTo(out);
    out.flush();
  }

  private static long acknowledge(DataInputStream in) throws IOException {
    PipelineAck ack = new PipelineAck();
    ack.readFields(in);
    if (!ack.isSuccess()) {
      throw new IOException("not acknowledged: " + ack);
    }
    return ack.getSeqno();
  }

  private static ExtendedBlock block(String id, String stamp, String length) {
    return new ExtendedBlock(
        POOL, Long.parseLong(id), Long.parseLong(length), Long.parseLong(stamp));
  }

  private static Peer peer(int port) throws IOException {
    // The block reader needs a peer with a channel.
    SocketChannel channel = SocketChannel.open(new InetSocketAddress("127.0.0.1", port));
    Peer peer = DFSUtilClient.peerFromSocket(channel.socket());
    peer.setReadTimeout(TIMEOUT_MILLISECONDS);
    return peer;
  }
}
