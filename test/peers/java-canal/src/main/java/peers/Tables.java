package peers;

import com.alibaba.otter.canal.parse.inbound.mysql.tsdb.DatabaseTableMeta;
import com.alibaba.otter.canal.parse.inbound.mysql.tsdb.TableMetaTSDB;
import com.alibaba.otter.canal.parse.inbound.mysql.tsdb.TableMetaTSDBFactory;
import com.alibaba.otter.canal.parse.inbound.mysql.tsdb.dao.MetaHistoryDAO;
import com.alibaba.otter.canal.parse.inbound.mysql.tsdb.dao.MetaHistoryDO;
import com.alibaba.otter.canal.parse.inbound.mysql.tsdb.dao.MetaSnapshotDAO;
import com.alibaba.otter.canal.parse.inbound.mysql.tsdb.dao.MetaSnapshotDO;
import java.util.ArrayList;
import java.util.List;

/** Canal's history of table definitions, with its two tables in memory: the Spring files that would open a database are in no registry jar. */
final class Tables implements TableMetaTSDBFactory {
    @Override
    public TableMetaTSDB build(String destination, String springXml) {
        DatabaseTableMeta history = new DatabaseTableMeta();
        history.setMetaHistoryDAO(new Changes());
        history.setMetaSnapshotDAO(new Snapshots());
        return history;
    }

    @Override
    public void destory(String destination) {
    }

    /** The table meta_history of one destination. */
    private static final class Changes extends MetaHistoryDAO {
        private final List<MetaHistoryDO> rows = new ArrayList<>();

        @Override
        public synchronized Long insert(MetaHistoryDO row) {
            rows.add(row);
            return (long) rows.size();
        }

        @Override
        public synchronized List<MetaHistoryDO> findByTimestamp(String destination, Long after, Long until) {
            List<MetaHistoryDO> found = new ArrayList<>(rows);
            found.removeIf(r -> r.getBinlogTimestamp() < after || r.getBinlogTimestamp() > until);
            return found;
        }

        @Override
        public synchronized Integer deleteByTimestamp(String destination, int seconds) {
            return 0;
        }

        @Override
        protected void initDao() {
        }
    }

    /** The table meta_snapshot of one destination. */
    private static final class Snapshots extends MetaSnapshotDAO {
        private final List<MetaSnapshotDO> rows = new ArrayList<>();

        @Override
        public synchronized Long insert(MetaSnapshotDO row) {
            rows.add(row);
            return (long) rows.size();
        }

        @Override
        public synchronized MetaSnapshotDO findByTimestamp(String destination, Long until) {
            MetaSnapshotDO newest = null;
            for (MetaSnapshotDO r : rows) {
                if (r.getBinlogTimestamp() < until && (newest == null || r.getBinlogTimestamp() >= newest.getBinlogTimestamp())) {
                    newest = r;
                }
            }
            return newest;
        }

        @Override
        public synchronized Integer deleteByTimestamp(String destination, int seconds) {
            return 0;
        }

        @Override
        protected void initDao() {
        }
    }
}
