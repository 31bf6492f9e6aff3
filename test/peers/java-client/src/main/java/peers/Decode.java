package peers;

import com.alibaba.otter.canal.client.CanalMessageDeserializer;
import com.alibaba.otter.canal.protocol.CanalEntry.Column;
import com.alibaba.otter.canal.protocol.CanalEntry.Entry;
import com.alibaba.otter.canal.protocol.CanalEntry.EntryType;
import com.alibaba.otter.canal.protocol.CanalEntry.RowChange;
import com.alibaba.otter.canal.protocol.CanalEntry.RowData;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes recorded batches apart with the real Canal client's deserializer, reading every column's name and value, and
 * prints figures as one line of JSON, with the field names that test/bench/decode reads.
 * Arguments: FILE WARM-MS SPAN-MS.
 */
public final class Decode {
    private long rows, columns, text;

    public static void main(String[] args) throws Exception {
        ByteBuffer data = ByteBuffer.wrap(Files.readAllBytes(Path.of(args[0])));
        List<byte[]> packets = new ArrayList<>();
        while (data.hasRemaining()) {
            byte[] packet = new byte[data.getInt()];
            data.get(packet);
            packets.add(packet);
        }
        data = null;
        new Decode().repeat(packets, Long.parseLong(args[1]));
        System.gc();
        Decode d = new Decode();
        var process = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        long cpu = process.getProcessCpuTime();
        long start = System.nanoTime();
        d.repeat(packets, Long.parseLong(args[2]));
        long wall = System.nanoTime() - start;
        cpu = process.getProcessCpuTime() - cpu;
        System.out.println("{\"Rows\":" + d.rows + ",\"Columns\":" + d.columns + ",\"Text\":" + d.text
            + ",\"Wall\":" + wall + ",\"CPU\":" + cpu + ",\"Allocations\":-1}");
    }

    /** Decodes all packets until so many milliseconds are over, at least once. */
    private void repeat(List<byte[]> packets, long millis) throws Exception {
        long start = System.nanoTime();
        do {
            for (byte[] p : packets) {
                packet(p);
            }
        } while (System.nanoTime() - start < millis * 1_000_000L);
    }

    /** Decodes a batch as the connector's getWithoutAck does. */
    private void packet(byte[] b) throws Exception {
        for (Entry e : CanalMessageDeserializer.deserializer(b).getEntries()) {
            if (e.getEntryType() != EntryType.ROWDATA) {
                continue;
            }
            for (RowData row : RowChange.parseFrom(e.getStoreValue()).getRowDatasList()) {
                rows++;
                columns(row.getBeforeColumnsList());
                columns(row.getAfterColumnsList());
            }
        }
    }

    private void columns(List<Column> all) {
        for (Column c : all) {
            columns++;
            text += c.getName().length() + c.getValue().length();
        }
    }
}
