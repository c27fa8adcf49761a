import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import javax.net.SocketFactory;

/** Connects the JDBC driver to the server's Unix-domain socket, whatever host it asks for. */
public class UnixSocketFactory extends SocketFactory {
    private static class UnixSocket extends Socket {
        private SocketChannel channel;

        @Override
        public void connect(SocketAddress unused, int timeout) throws IOException {
            channel = SocketChannel.open(UnixDomainSocketAddress.of(System.getenv("PGHOST") + "/.s.PGSQL.5432"));
        }

        @Override public InputStream getInputStream() { return Channels.newInputStream(channel); }
        @Override public OutputStream getOutputStream() { return Channels.newOutputStream(channel); }
        @Override public synchronized void close() throws IOException { if (channel != null) channel.close(); }
        @Override public boolean isConnected() { return channel != null; }
        @Override public boolean isClosed() { return channel != null && !channel.isOpen(); }
        @Override public void setTcpNoDelay(boolean on) { }
        @Override public void setKeepAlive(boolean on) { }
        @Override public void setSoTimeout(int timeout) { }
        @Override public int getSoTimeout() { return 0; }
        @Override public int getSendBufferSize() { return 8192; }
        @Override public int getReceiveBufferSize() { return 8192; }
    }

    @Override public Socket createSocket() { return new UnixSocket(); }

    @Override
    public Socket createSocket(String host, int port) throws IOException {
        Socket socket = new UnixSocket();
        socket.connect(null, 0);
        return socket;
    }

    @Override public Socket createSocket(String host, int port, InetAddress a, int p) throws IOException { return createSocket(host, port); }
    @Override public Socket createSocket(InetAddress host, int port) throws IOException { return createSocket("", port); }
    @Override public Socket createSocket(InetAddress host, int port, InetAddress a, int p) throws IOException { return createSocket("", port); }
}
