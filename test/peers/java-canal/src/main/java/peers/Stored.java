package peers;

import com.alibaba.druid.pool.DruidDataSource;
import com.alibaba.otter.canal.parse.inbound.mysql.tsdb.DatabaseTableMeta;
import com.alibaba.otter.canal.parse.inbound.mysql.tsdb.TableMetaTSDB;
import com.alibaba.otter.canal.parse.inbound.mysql.tsdb.TableMetaTSDBFactory;
import com.alibaba.otter.canal.parse.inbound.mysql.tsdb.dao.MetaBaseDAO;
import com.alibaba.otter.canal.parse.inbound.mysql.tsdb.dao.MetaHistoryDAO;
import com.alibaba.otter.canal.parse.inbound.mysql.tsdb.dao.MetaSnapshotDAO;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import org.apache.ibatis.builder.xml.XMLMapperBuilder;
import org.apache.ibatis.mapping.Environment;
import org.apache.ibatis.session.Configuration;
import org.apache.ibatis.session.defaults.DefaultSqlSessionFactory;
import org.mybatis.spring.transaction.SpringManagedTransactionFactory;

/** Canal's history of table definitions in MySQL: its own classes and tables, with the statements of the Spring files that are in no registry jar. */
final class Stored implements TableMetaTSDBFactory {
    private static final String PACKAGE = "com.alibaba.otter.canal.parse.inbound.mysql.tsdb.dao.";
    private static final String PLACE = "gmt_create,gmt_modified,destination,binlog_file,binlog_offest,binlog_master_id,binlog_timestamp,";
    private static final String VALUES = "values(CURRENT_TIMESTAMP,CURRENT_TIMESTAMP,#{destination},#{binlogFile},#{binlogOffest},#{binlogMasterId},#{binlogTimestamp},";

    private final DruidDataSource source = new DruidDataSource();

    Stored(String url, String user, String password) {
        source.setDriverClassName("com.mysql.jdbc.Driver");
        source.setUrl(url);
        source.setUsername(user);
        source.setPassword(password);
        source.setValidationQuery("SELECT 1");
    }

    @Override
    public TableMetaTSDB build(String destination, String springXml) {
        Configuration c = new Configuration(new Environment("tsdb", new SpringManagedTransactionFactory(), source));
        c.setMapUnderscoreToCamelCase(true);
        mapper(c, "MetaHistory",
            "insert into meta_history (" + PLACE + "use_schema,sql_schema,sql_table,sql_text,sql_type,extra) "
                + VALUES + "#{useSchema},#{sqlSchema},#{sqlTable},#{sqlText},#{sqlType},#{extra})",
            "select * from meta_history where destination = #{destination} and binlog_timestamp &gt;= #{snapshotTimestamp} and binlog_timestamp &lt;= #{timestamp} "
                + "order by binlog_timestamp asc,id asc",
            "delete from meta_history where destination=#{destination} and binlog_timestamp &lt; #{timestamp}");
        mapper(c, "MetaSnapshot",
            "insert into meta_snapshot (" + PLACE + "data,extra) " + VALUES + "#{data},#{extra})",
            "select * from meta_snapshot where destination = #{destination} and binlog_timestamp &lt; #{timestamp} order by binlog_timestamp desc,id desc limit 1",
            "delete from meta_snapshot where destination=#{destination} and binlog_timestamp &lt; #{timestamp} and binlog_timestamp &gt; 0");
        DatabaseTableMeta history = new DatabaseTableMeta();
        history.setMetaHistoryDAO(open(new MetaHistoryDAO(), c));
        history.setMetaSnapshotDAO(open(new MetaSnapshotDAO(), c));
        return history;
    }

    private static void mapper(Configuration c, String name, String insert, String find, String delete) {
        String xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
            + "<!DOCTYPE mapper PUBLIC \"-//mybatis.org//DTD Mapper 3.0//EN\" \"http://mybatis.org/dtd/mybatis-3-mapper.dtd\">"
            + "<mapper namespace=\"" + PACKAGE + name + "Mapper\"><insert id=\"insert\">" + insert + "</insert>"
            + "<select id=\"findByTimestamp\" resultType=\"" + PACKAGE + name + "DO\">" + find + "</select>"
            + "<delete id=\"deleteByTimestamp\">" + delete + "</delete></mapper>";
        new XMLMapperBuilder(new ByteArrayInputStream(xml.getBytes(StandardCharsets.UTF_8)), c, name, c.getSqlFragments()).parse();
    }

    /** Makes the table if it is not there. */
    private static <T extends MetaBaseDAO> T open(T dao, Configuration c) {
        dao.setSqlSessionFactory(new DefaultSqlSessionFactory(c));
        dao.afterPropertiesSet();
        return dao;
    }

    @Override
    public void destory(String destination) {
        source.close();
    }
}
