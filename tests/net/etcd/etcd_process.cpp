#include "tests/net/etcd/etcd_process.hpp"

#include "net/client/http_client.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::net::test {

std::uint16_t free_port() {
    // Below the ports that connections get by themselves: a server that is started again has to find its own free.
    static std::minstd_rand random(std::random_device{}());
    for (int tries = 0; tries < 1'000; ++tries) {
        const auto port = std::uniform_int_distribution<std::uint16_t>(20'000, 32'000)(random);
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        const bool free = ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        ::close(socket);
        if (free)
            return port;
    }
    throw std::runtime_error("no port is free");
}

namespace {

expected<client_response> ask(const std::string& url, std::string_view body, std::int64_t time_out_ms = 10'000) {
    client_request request;
    request.method = "POST";
    request.url = url;
    request.body = std::string(body);
    request.time_out_ms = time_out_ms;
    return fetch(request);
}

/// The number of that name in the answer, wherever it stands.
std::uint64_t number_in(const std::string& body, const char* pointer) {
    const auto document = json::document::parse(body);
    if (!document)
        return 0;
    const auto found = document->root().pointer(pointer);
    return found ? std::strtoull(std::string(found->as_string().value_or("0")).c_str(), nullptr, 10) : 0;
}

} // namespace

etcd_servers::etcd_servers(std::size_t members, std::vector<std::string> more, bool tls)
    : more_(std::move(more)), tls_(tls) {
    for (std::size_t i = 0; i < members; ++i)
        members_.push_back({fmt::format("member{}", i), free_port(), free_port()});
    for (std::size_t i = 0; i < members; ++i)
        start(i);
    for (std::size_t i = 0; i < members && !tls_; ++i)
        wait_until_well(i);
}

etcd_servers::~etcd_servers() {
    for (std::size_t i = 0; i < members_.size(); ++i)
        kill(i);
}

std::string etcd_servers::endpoint(std::size_t member) const {
    return fmt::format("{}://127.0.0.1:{}", tls_ ? "https" : "http", members_[member].client_port);
}

std::vector<std::string> etcd_servers::endpoints() const {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < members_.size(); ++i)
        out.push_back(endpoint(i));
    return out;
}

void etcd_servers::start(std::size_t index) {
    auto& me = members_[index];
    std::string all;
    for (const auto& one : members_)
        all += fmt::format("{}{}=http://127.0.0.1:{}", all.empty() ? "" : ",", one.name, one.peer_port);
    const auto peer = fmt::format("http://127.0.0.1:{}", me.peer_port);
    std::vector<std::string> words{"etcd",
                                   "--name",
                                   me.name,
                                   "--data-dir",
                                   (folder_.path / me.name).string(),
                                   "--listen-client-urls",
                                   endpoint(index),
                                   "--advertise-client-urls",
                                   endpoint(index),
                                   "--listen-peer-urls",
                                   peer,
                                   "--initial-advertise-peer-urls",
                                   peer,
                                   "--initial-cluster",
                                   all,
                                   "--heartbeat-interval",
                                   "50",
                                   "--election-timeout",
                                   "500",
                                   "--logger",
                                   "zap"};
    words.insert(words.end(), more_.begin(), more_.end());
    std::vector<char*> arguments;
    for (auto& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const auto log_file = (folder_.path / (me.name + ".log")).string();
    const auto parent = ::getpid();
    me.pid = ::fork();
    BOOST_REQUIRE(me.pid >= 0);
    if (me.pid == 0) { // only what is safe between fork and exec
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent)
            ::_exit(1);
        const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        ::dup2(log, 1);
        ::dup2(log, 2);
        ::execvp(arguments[0], arguments.data());
        ::_exit(127);
    }
}

void etcd_servers::kill(std::size_t member) {
    auto& pid = members_[member].pid;
    if (pid == 0)
        return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = 0;
}

void etcd_servers::freeze(std::size_t member) {
    ::kill(members_[member].pid, SIGSTOP);
    ::waitpid(members_[member].pid, nullptr, WUNTRACED);
}
void etcd_servers::thaw(std::size_t member) { ::kill(members_[member].pid, SIGCONT); }

void etcd_servers::wait_until_well(std::size_t member) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < end) {
        int status = 0;
        if (::waitpid(members_[member].pid, &status, WNOHANG) == members_[member].pid)
            throw std::runtime_error("etcd did not start: is it installed (bin/install-packages test)?");
        const auto reply = ask(endpoint(member) + "/v3/kv/range", R"({"key":"eA=="})", 2'000);
        if (reply && reply->status == 200)
            return;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw std::runtime_error("etcd does not serve");
}

std::size_t etcd_servers::leader(std::size_t from) const {
    const auto status = post(from, "/v3/maintenance/status", "{}");
    const auto id = number_in(status, "/leader");
    for (std::size_t i = 0; i < members_.size(); ++i)
        if (members_[i].pid != 0)
            if (number_in(post(i, "/v3/maintenance/status", "{}"), "/header/member_id") == id)
                return i;
    throw std::runtime_error("nobody leads");
}

std::string etcd_servers::post(std::size_t member, std::string_view path, std::string_view body, int status) const {
    const auto reply = ask(endpoint(member) + std::string(path), body);
    BOOST_REQUIRE_MESSAGE(reply.has_value(), (reply ? "" : reply.error().detail));
    BOOST_REQUIRE_MESSAGE(reply->status == status, reply->body);
    return reply->body;
}

std::uint64_t etcd_servers::revision(std::size_t member) const {
    return number_in(post(member, "/v3/kv/range", R"({"key":"eA=="})"), "/header/revision");
}

void etcd_servers::compact(std::size_t member, std::uint64_t revision) const {
    post(member, "/v3/kv/compaction", fmt::format(R"({{"revision":"{}","physical":true}})", revision));
}

} // namespace troupe::net::test
