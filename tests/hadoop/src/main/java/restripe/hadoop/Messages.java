package restripe.hadoop;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.HexFormat;
import java.util.StringJoiner;
import org.apache.hadoop.fs.StorageType;
import org.apache.hadoop.hdfs.protocol.DatanodeInfo;
import org.apache.hadoop.hdfs.protocol.DatanodeInfo.DatanodeInfoBuilder;
import org.apache.hadoop.hdfs.protocol.ExtendedBlock;
import org.apache.hadoop.hdfs.protocol.datatransfer.BlockConstructionStage;
import org.apache.hadoop.hdfs.protocol.datatransfer.DataTransferProtoUtil;
import org.apache.hadoop.hdfs.protocol.datatransfer.PipelineAck;
import org.apache.hadoop.hdfs.protocol.datatransfer.Sender;
import org.apache.hadoop.hdfs.protocol.proto.DataTransferProtos.BlockOpResponseProto;
import org.apache.hadoop.hdfs.protocol.proto.DataTransferProtos.ClientReadStatusProto;
import org.apache.hadoop.hdfs.protocol.proto.DataTransferProtos.ReadOpChecksumInfoProto;
import org.apache.hadoop.hdfs.protocol.proto.DataTransferProtos.Status;
import org.apache.hadoop.hdfs.security.token.block.BlockTokenIdentifier;
import org.apache.hadoop.hdfs.server.datanode.CachingStrategy;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.thirdparty.protobuf.MessageLite;
import org.apache.hadoop.util.DataChecksum;

/** Messages as Hadoop writes them, for tests/data/hadoop/messages. */
final class Messages {
  private Messages() {}

  /** Something that writes to a socket. */
  private interface Writing {
    void to(DataOutputStream out) throws IOException;
  }

  /** Every message as {@code NAME=HEX}, with a comma between them. */
  static String all() throws IOException {
    StringJoiner all = new StringJoiner(",");
    ExtendedBlock block = new ExtendedBlock("BP-1", 1073741825L, 100000L, 1007L);
    ExtendedBlock striped = new ExtendedBlock("BP-2", -9223372036854775789L, 196608L, 1001L);
    Token<BlockTokenIdentifier> none = new Token<>();
    Token<BlockTokenIdentifier> token =
        new Token<>(new byte[] {1, 2}, new byte[] {3}, new Text("kind"), new Text("service"));
    DataChecksum crc32c = DataChecksum.newDataChecksum(DataChecksum.Type.CRC32C, 512);
    DataChecksum crc32 = DataChecksum.newDataChecksum(DataChecksum.Type.CRC32, 4096);
    CachingStrategy usual = CachingStrategy.newDefaultStrategy();
    CachingStrategy hints = new CachingStrategy(true, 4194304L);

    add(all, "read", out -> new Sender(out)
        .readBlock(block, none, "client", 512, 1000, true, usual));
    add(all, "read_with_everything", out -> new Sender(out)
        .readBlock(striped, token, "client", 0, -1, false, hints));
    add(all, "write", out -> new Sender(out)
        .writeBlock(striped, StorageType.DISK, none, "client", new DatanodeInfo[0],
            new StorageType[0], null, BlockConstructionStage.PIPELINE_SETUP_CREATE, 0, 0, 0, 0,
            crc32c, usual, false, false, new boolean[0], null, new String[0]));
    add(all, "write_with_everything", out -> new Sender(out)
        .writeBlock(block, StorageType.SSD, token, "client", new DatanodeInfo[] {node(0), node(1)},
            new StorageType[0], null, BlockConstructionStage.PIPELINE_CLOSE_RECOVERY, 2, 300,
            400, 1008, crc32, hints, true, true, new boolean[0], "DS-1", new String[0]));

    message(all, "answer_to_read", BlockOpResponseProto.newBuilder()
        .setStatus(Status.SUCCESS)
        .setReadOpChecksumInfo(ReadOpChecksumInfoProto.newBuilder()
            .setChecksum(DataTransferProtoUtil.toProto(crc32c)).setChunkOffset(65536L))
        .build());
    message(all, "answer_to_write", BlockOpResponseProto.newBuilder()
        .setStatus(Status.SUCCESS).setFirstBadLink("").build());
    message(all, "answer_with_error", BlockOpResponseProto.newBuilder()
        .setStatus(Status.ERROR_ACCESS_TOKEN).setMessage("größer").build());
    message(all, "client_read_status", ClientReadStatusProto.newBuilder()
        .setStatus(Status.CHECKSUM_OK).build());

    add(all, "ack", out -> new PipelineAck(7,
        new int[] {PipelineAck.combineHeader(PipelineAck.ECN.DISABLED, Status.SUCCESS)})
        .write(out));
    add(all, "ack_of_heartbeat", out -> new PipelineAck(-1, new int[] {0}).write(out));
    add(all, "ack_of_pipeline", out -> new PipelineAck(4294967297L, new int[] {
        PipelineAck.combineHeader(PipelineAck.ECN.CONGESTED, Status.SUCCESS),
        PipelineAck.combineHeader(PipelineAck.ECN.SUPPORTED, Status.ERROR_CHECKSUM)},
        123456789L).write(out));
    return all.toString();
  }

  private static DatanodeInfo node(int number) {
    return new DatanodeInfoBuilder()
        .setIpAddr("10.0.0." + number).setHostName("node" + number).setDatanodeUuid("uuid")
        .setXferPort(9866).setInfoPort(9864).setInfoSecurePort(0).setIpcPort(9867)
        .setNetworkLocation("/rack").build();
  }

  private static void message(StringJoiner all, String name, MessageLite message)
      throws IOException {
    add(all, name, message::writeDelimitedTo);
  }

  private static void add(StringJoiner all, String name, Writing writing) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(bytes);
    writing.to(out);
    out.flush();
    all.add(name + "=" + HexFormat.of().formatHex(bytes.toByteArray()));
  }
}
