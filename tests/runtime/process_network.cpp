// The hosts that commands reach: the list, and real programs in the sandbox against a server on this machine.
#include "runtime/process/network_grant.hpp"
#include "tests/runtime/process_attempts.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::test;

namespace {

bool says(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

std::vector<allowed_host> list(const std::string& text) {
    std::vector<allowed_host> out;
    for (const auto& host : parse_network_grant(text).value().hosts) {
        out.push_back(parse_allowed_host(host).value());
    }
    return out;
}

/// Answers each request with its first line and its body, on a port of the loopback. One connection at a time.
class server {
public:
    server() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in place{};
        place.sin_family = AF_INET;
        place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        BOOST_REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&place), sizeof place) == 0);
        BOOST_REQUIRE(::listen(listener_.get(), 8) == 0);
        socklen_t size = sizeof place;
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&place), &size);
        place_ = "127.0.0.1:" + std::to_string(ntohs(place.sin_port));
        thread_ = std::jthread([this] { serve(); });
    }
    ~server() { ::shutdown(listener_.get(), SHUT_RDWR); }
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    [[nodiscard]] const std::string& place() const { return place_; }
    [[nodiscard]] std::string port() const { return place_.substr(place_.find(':')); }
    [[nodiscard]] std::string heads() const {
        const std::lock_guard lock(mutex_);
        return heads_;
    }

private:
    void serve() {
        for (;;) {
            const unique_fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!client) {
                return;
            }
            answer(client.get());
        }
    }
    void answer(int client) {
        std::string bytes;
        char piece[4096];
        const auto complete = [&] {
            const auto end = bytes.find("\r\n\r\n");
            const auto length = bytes.find("Content-Length: ");
            const auto body = length < end ? std::stoul(bytes.substr(length + 16)) : 0;
            return end != bytes.npos && bytes.size() >= end + 4 + body;
        };
        while (!complete()) {
            const auto got = ::recv(client, piece, sizeof piece, 0);
            if (got <= 0) {
                return;
            }
            bytes.append(piece, static_cast<std::size_t>(got));
        }
        const auto end = bytes.find("\r\n\r\n");
        {
            const std::lock_guard lock(mutex_);
            heads_ += bytes.substr(0, end + 4);
        }
        auto body = bytes.substr(0, bytes.find("\r\n")) + "|" + bytes.substr(end + 4) + "\n";
        if (body.starts_with("GET /large")) {
            body.assign(20'000'000, 'x');
        }
        const auto reply = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
                           "\r\n\r\n" + body;
        for (std::size_t at = 0; at < reply.size();) {
            const auto sent = ::send(client, reply.data() + at, reply.size() - at, MSG_NOSIGNAL);
            if (sent <= 0) {
                return;
            }
            at += static_cast<std::size_t>(sent);
        }
    }

    unique_fd listener_;
    std::string place_;
    mutable std::mutex mutex_;
    std::string heads_;
    std::jthread thread_;
};

command_result run(const workplace& w, const std::vector<std::string>& hosts, const std::string& line) {
    const auto key = to_string(make_uuid());
    auto r = make_sandbox(sandbox_mode::bubblewrap, w.state, runner_path(), hosts)->run(key, w.shell(line), {}, {});
    BOOST_REQUIRE_MESSAGE(r, r.error().detail);
    return std::move(*r);
}

bool has_curl() {
    if (!fs::exists("/usr/bin/curl")) {
        BOOST_TEST_MESSAGE("skipped: there is no /usr/bin/curl");
        return false;
    }
    return true;
}

} // namespace

BOOST_AUTO_TEST_SUITE(process_network)

BOOST_AUTO_TEST_CASE(a_grant_is_none_all_or_a_list) {
    BOOST_TEST(!parse_network_grant("none")->all);
    BOOST_TEST(parse_network_grant("none")->hosts.empty());
    BOOST_TEST(parse_network_grant("all")->all);
    const auto some = parse_network_grant("example.org, *.example.org:8443,[::1]:80");
    BOOST_REQUIRE(some);
    BOOST_TEST(some->hosts == (std::vector<std::string>{"example.org", "*.example.org:8443", "[::1]:80"}),
               boost::test_tools::per_element());
    for (const char* wrong : {"a,", ",", "*", "*.", "a..b", ".a", "a b", "a:0", "a:65536", "a:x", "a:", "::1", "[a]:1",
                              "[::1", "http://a", "a/b", "*.10.0.0.1", "a,none all"}) {
        const auto read = parse_network_grant(wrong);
        BOOST_TEST(!read, wrong);
    }
}

BOOST_AUTO_TEST_CASE(a_host_is_allowed_by_its_name_and_port) {
    const auto some = list("Example.org, *.cdn.example.org, api.test:8080, 10.0.0.7, [fd00::1]:443");
    for (const auto& [host, port] : std::vector<std::pair<std::string, std::uint16_t>>{{"example.org", 443},
                                                                                       {"EXAMPLE.ORG.", 80},
                                                                                       {"a.cdn.example.org", 443},
                                                                                       {"a.b.cdn.example.org", 80},
                                                                                       {"api.test", 8080},
                                                                                       {"10.0.0.7", 80},
                                                                                       {"fd00:0::1", 443}}) {
        BOOST_TEST(is_allowed(some, host, port), host << ":" << port);
    }
    for (const auto& [host, port] : std::vector<std::pair<std::string, std::uint16_t>>{{"example.org", 22},
                                                                                       {"www.example.org", 443},
                                                                                       {"cdn.example.org", 443},
                                                                                       {"acdn.example.org", 443},
                                                                                       {"api.test", 443},
                                                                                       {"10.0.0.8", 80},
                                                                                       {"0xa.0.0.7", 80},
                                                                                       {"fd00::1", 80},
                                                                                       {"", 80},
                                                                                       {".cdn.example.org", 80}}) {
        BOOST_TEST(!is_allowed(some, host, port), host << ":" << port);
    }
}

BOOST_AUTO_TEST_CASE(an_address_is_public_or_named) {
    const auto none = list("a"), one = list("10.0.0.7:80");
    for (const char* open : {"1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"}) {
        BOOST_TEST(is_allowed_address(none, parse_ip(open).value(), 80), open);
    }
    for (const char* closed : {"127.0.0.1",
                               "127.9.9.9",
                               "10.1.2.3",
                               "172.16.0.1",
                               "172.31.255.255",
                               "192.168.1.1",
                               "169.254.169.254",
                               "100.64.0.1",
                               "0.0.0.0",
                               "224.0.0.1",
                               "255.255.255.255",
                               "::1",
                               "::",
                               "fe80::1",
                               "fd00::1",
                               "ff02::1",
                               "::ffff:127.0.0.1",
                               "::ffff:10.0.0.1",
                               "64:ff9b::7f00:1",
                               "2002:7f00:1::",
                               "2001::1",
                               "::7f00:1"}) {
        BOOST_TEST(!is_allowed_address(none, parse_ip(closed).value(), 80), closed);
    }
    BOOST_TEST(is_allowed_address(one, parse_ip("10.0.0.7").value(), 80));
    BOOST_TEST(!is_allowed_address(one, parse_ip("10.0.0.7").value(), 443));
    BOOST_TEST(!is_allowed_address(one, parse_ip("10.0.0.8").value(), 80));
}

BOOST_AUTO_TEST_CASE(a_host_of_the_list_is_reached_and_the_network_stays_ones_own) {
    if (!has_curl()) {
        return;
    }
    const workplace w;
    const server s;
    auto r = run(w, {s.place()}, "curl -sS http://" + s.place() + "/a http://" + s.place() + "/b?c -H 'A: b'");
    BOOST_TEST(r.out == "GET /a HTTP/1.1|\nGET /b?c HTTP/1.1|\n", r.err);
    BOOST_TEST(r.connections_refused == 0u);
    BOOST_TEST(says(s.heads(), "\r\nA: b\r\n"));
    BOOST_TEST(!says(s.heads(), "Proxy-"));
    r = run(w, {s.place()}, "curl -sS -d body http://" + s.place() + "/post");
    BOOST_TEST(r.out == "POST /post HTTP/1.1|body\n", r.err);
    r = run(w, {s.place()}, "curl -sS --proxytunnel http://" + s.place() + "/through"); // CONNECT, as for https
    BOOST_TEST(r.out == "GET /through HTTP/1.1|\n", r.err);
    r = run(w, {s.place()}, "curl -sS --proxytunnel http://" + s.place() + "/large | wc -c");
    BOOST_TEST(r.out == "20000000\n", r.err);
    r = run(w, {s.place()}, "tail -n +3 /proc/net/dev | cut -d: -f1; curl -sS --noproxy '*' http://" + s.place() + "/");
    BOOST_TEST(says(r.out, "lo\n"));
    BOOST_TEST(r.exit_code == 7); // curl: cannot connect
}

BOOST_AUTO_TEST_CASE(another_host_is_refused_told_why_and_counted) {
    if (!has_curl()) {
        return;
    }
    const workplace w;
    const server s;
    auto r =
        run(w, {s.place()}, "curl -sS http://example.invalid/; curl -sSv --proxytunnel http://example.invalid:8080/");
    BOOST_TEST(r.out == "troupe: example.invalid:80 is not in sandbox.network\n");
    BOOST_TEST(says(r.err, "403 example.invalid:8080 is not in sandbox.network"), r.err);
    BOOST_TEST(r.connections_refused == 2u);
    r = run(w, {"127.0.0.1:1"}, "curl -sS http://" + s.place() + "/");
    BOOST_TEST(says(r.out, "is not in sandbox.network"));
    // The list has the name, and the name leads to this machine.
    r = run(w, {"localhost" + s.port()}, "curl -sS http://localhost" + s.port() + "/");
    BOOST_TEST(r.out == "troupe: localhost has a private address, which sandbox.network does not name\n");
    BOOST_TEST(r.connections_refused == 1u);
    BOOST_TEST(s.heads().empty());
    // Both named: so it is meant.
    r = run(w, {"localhost" + s.port(), s.place()}, "curl -sS http://localhost" + s.port() + "/");
    BOOST_TEST(r.out == "GET / HTTP/1.1|\n");
    BOOST_TEST(r.connections_refused == 0u);
}

BOOST_AUTO_TEST_CASE(python_uses_the_proxy_too) {
    if (!fs::exists("/usr/bin/python3")) {
        BOOST_TEST_MESSAGE("skipped: there is no /usr/bin/python3");
        return;
    }
    const workplace w;
    const server s;
    w.write("a.py", "import urllib.request\nprint(urllib.request.urlopen('http://" + s.place() +
                        "/py').read())\n"
                        "try: urllib.request.urlopen('https://example.invalid/')\nexcept Exception as e: print(e)\n");
    const auto r = run(w, {s.place()}, "/usr/bin/python3 a.py");
    BOOST_TEST(says(r.out, "b'GET /py HTTP/1.1|\\n'"), r.out << r.err);
    BOOST_TEST(says(r.out, "403 example.invalid:443 is not in sandbox.network"), r.out);
}

BOOST_AUTO_TEST_CASE(programs_are_told_of_the_proxy_only_where_there_is_one) {
    const workplace w;
    const std::string names = "env | grep -i proxy | sort";
    BOOST_TEST(run(w, {}, names).out.empty());
    const std::string own = "http://127.0.0.1:3128\n";
    BOOST_TEST(run(w, {"example.org"}, names).out == "ALL_PROXY=" + own + "HTTPS_PROXY=" + own + "HTTP_PROXY=" + own +
                                                         "NO_PROXY=localhost,127.0.0.1,::1\n" + "all_proxy=" + own +
                                                         "http_proxy=" + own + "https_proxy=" + own +
                                                         "no_proxy=localhost,127.0.0.1,::1\n");
    auto spec = w.shell(names); // a command that has the machine's network needs none
    spec.network = true;
    BOOST_TEST(make_sandbox(sandbox_mode::bubblewrap, w.state, runner_path(), {"a"})
                   ->run("all", spec, {}, {})
                   .value()
                   .out.empty());
}

BOOST_AUTO_TEST_CASE(neither_the_listener_nor_the_way_to_the_proxy_is_left_to_the_command) {
    const workplace w;
    fs::copy_file(attempts_path(), w.project / "attempts");
    BOOST_TEST(run(w, {"example.org"}, "./attempts descriptors").out == "0 open\n1 open\n2 open\n");
}

BOOST_AUTO_TEST_SUITE_END()
