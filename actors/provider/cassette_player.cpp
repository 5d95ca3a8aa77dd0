#include "actors/provider/cassette_player.hpp"

#include "actors/provider/cassette.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/log.hpp"
#include "schemas/base/unique_fd.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <utility>

namespace troupe::actors {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t name_bytes_max = 100;
constexpr std::size_t steps_remembered_max = 10'000;
/// Of one call, about: a context and its answer.
constexpr std::size_t record_bytes_max = 32 << 20;

bool is_plain_name(std::string_view name) {
    return !name.empty() && name.size() <= name_bytes_max && name.front() != '.' &&
           std::ranges::all_of(
               name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; });
}

std::string_view name_in(std::string_view name) {
    name.remove_prefix(name.find(':') + 1);
    return name.substr(0, name.find('/'));
}

class player final : public net::model {
public:
    explicit player(fs::path file) : file_(std::move(file)) {}

    [[nodiscard]] std::string describe() const override {
        return fmt::format("cassette {} (recorded, nobody is called)", file_.stem().string());
    }

    expected<net::model_reply> complete(const net::model_request& request, std::stop_token stop,
                                        const std::function<void(std::string_view)>& on_token) override {
        const auto tape = current();
        if (!tape) {
            return tape.error();
        }
        const auto asked = to_cassette(request);
        const auto found = (*tape)->find(asked, times_before(request.idempotency_key));
        if (!found) {
            return found.error();
        }
        const auto& entry = **found;
        for (const auto& piece : entry.pieces) {
            if (stop.stop_requested()) {
                return problem{code::cancelled, "the call was cancelled"};
            }
            if (on_token) {
                on_token(piece);
            }
        }
        if (entry.reply) {
            return from_cassette(*entry.reply);
        }
        problem out{code_named(entry.problem->code).value_or(code::model_unavailable), entry.problem->detail};
        out.retry_after_s = entry.problem->retry_after_s;
        return out;
    }

private:
    /// How often this step asked before: a call that failed and was made again has a line for each.
    std::size_t times_before(const std::string& step) {
        const std::scoped_lock lock(mutex_);
        if (asked_.size() > steps_remembered_max) {
            asked_.clear();
        }
        return asked_[step]++;
    }

    expected<std::shared_ptr<const cassette>> current() {
        const std::scoped_lock lock(mutex_);
        std::error_code failed;
        const auto changed = fs::last_write_time(file_, failed);
        if (!failed && tape_ && changed == read_at_) {
            return tape_;
        }
        const auto text = read_whole_file(file_, cassette_bytes_max);
        if (!text) {
            return problem{code::model_unknown,
                           fmt::format("There is no cassette {}: {}", file_.stem().string(), text.error().detail)};
        }
        auto read = cassette::parse(*text);
        if (!read) {
            return problem{read.error().code, file_.string() + ": " + read.error().detail};
        }
        tape_ = std::make_shared<const cassette>(std::move(*read));
        read_at_ = changed;
        return tape_;
    }

    const fs::path file_;
    std::mutex mutex_;
    std::shared_ptr<const cassette> tape_;
    fs::file_time_type read_at_;
    std::map<std::string, std::size_t> asked_; ///< By step of a run.
};

class recorder final : public net::model {
public:
    recorder(fs::path file, std::shared_ptr<net::model> inner) : file_(std::move(file)), inner_(std::move(inner)) {}

    [[nodiscard]] std::string describe() const override {
        return fmt::format("{}, recorded on {}", inner_->describe(), file_.stem().string());
    }

    expected<net::model_reply> complete(const net::model_request& request, std::stop_token stop,
                                        const std::function<void(std::string_view)>& on_token) override {
        const auto fd = open(); // before anything is spent
        if (!fd) {
            return fd.error();
        }
        if (static_cast<std::size_t>(std::max<off_t>(end_of_lines(*fd), 0)) > cassette_bytes_max - record_bytes_max) {
            return problem{code::model_unknown,
                           fmt::format("The cassette {} is full: it has {} MiB. Record on another one.",
                                       file_.stem().string(), cassette_bytes_max >> 20)};
        }
        cassette_entry entry{to_cassette(request), {}, {}, {}};
        auto reply = inner_->complete(request, std::move(stop), [&](std::string_view text) {
            entry.pieces.emplace_back(text);
            if (on_token) {
                on_token(text);
            }
        });
        if (!reply && reply.error().code == code::cancelled) {
            return reply; // nothing came of it
        }
        if (reply) {
            entry.reply = to_cassette(*reply);
        } else {
            const auto& why = reply.error();
            entry.problem = cassette_problem{std::string(explain(why.code).name), why.detail, why.retry_after_s};
        }
        if (auto kept = add(*fd, entry); !kept) { // the reply counts all the same: it was paid for
            log_for("run").error("a call was not recorded: {}", kept.error().detail);
        }
        return reply;
    }

private:
    [[nodiscard]] expected<unique_fd> open() const {
        unique_fd fd(::open(file_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        if (!fd) {
            return file_problem("open", file_.native(), errno);
        }
        return fd;
    }

    /// A whole line, also where several runs and nodes record at a time.
    [[nodiscard]] expected<void> add(const unique_fd& fd, const cassette_entry& entry) const {
        if (::flock(fd.get(), LOCK_EX) != 0) {
            return file_problem("lock", file_.native(), errno);
        }
        const auto end = end_of_lines(fd);
        const auto line = (end == 0 ? cassette_header() : "") + to_line(entry);
        auto written = ::ftruncate(fd.get(), end) == 0 ? write_whole(fd.get(), line, file_.native())
                                                       : expected<void>(file_problem("cut", file_.native(), errno));
        if (written && ::fsync(fd.get()) != 0) {
            written = file_problem("sync", file_.native(), errno);
        }
        ::flock(fd.get(), LOCK_UN);
        return written;
    }

    /// Behind the last whole line: what a crash left of another one goes.
    static off_t end_of_lines(const unique_fd& fd) {
        auto end = ::lseek(fd.get(), 0, SEEK_END);
        for (char last = 0; end > 0 && ::pread(fd.get(), &last, 1, end - 1) == 1 && last != '\n';) {
            --end;
        }
        return std::max<off_t>(end, 0);
    }

    const fs::path file_;
    const std::shared_ptr<net::model> inner_;
};

} // namespace

bool is_cassette_name(std::string_view name) {
    return name.starts_with(cassette_prefix) || name.starts_with(record_prefix);
}

std::string_view cassette_desk::recorded_model(std::string_view name) {
    if (!name.starts_with(record_prefix)) {
        return name;
    }
    const auto slash = name.find('/');
    return slash == name.npos ? std::string_view() : name.substr(slash + 1);
}

expected<fs::path> cassette_desk::file_of(std::string_view tape) const {
    if (folder_.empty()) {
        return problem{code::model_unknown, "There are no cassettes: set model.cassettes to a folder for them."};
    }
    if (!is_plain_name(tape)) {
        return problem{code::model_unknown,
                       fmt::format("\"{}\" names no cassette: write cassette:NAME, or record:NAME/MODEL, the name of "
                                   "letters, digits, '-', '_' and '.'.",
                                   tape)};
    }
    return folder_ / (std::string(tape) + std::string(cassette_ending));
}

expected<std::shared_ptr<net::model>> cassette_desk::find(std::string_view name, const finder& find) {
    const bool plays = name.starts_with(cassette_prefix);
    const auto tape = plays ? name.substr(cassette_prefix.size()) : name_in(name);
    auto file = file_of(tape);
    if (!file) {
        return file.error();
    }
    if (!plays) {
        auto inner = find(recorded_model(name));
        return inner ? expected<std::shared_ptr<net::model>>(std::make_shared<recorder>(*file, std::move(*inner)))
                     : inner;
    }
    const std::scoped_lock lock(mutex_);
    auto& known = players_[std::string(tape)];
    if (!known) {
        known = std::make_shared<player>(*file);
    }
    return known;
}

} // namespace troupe::actors
