#include "schemas/base/log.hpp"

#include "schemas/base/clock.hpp"
#include "schemas/base/json.hpp"

#include <spdlog/details/log_msg.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace troupe {
namespace {

/// Of the innermost `log_scope`.
thread_local std::string_view request_of_thread;
thread_local std::string_view trace_of_thread;

using level = spdlog::level::level_enum;
using level_map = std::map<std::string, level, std::less<>>;

constexpr std::array<std::string_view, 7> level_names = {"trace", "debug", "info", "warn", "error", "critical", "off"};
static_assert(level_names.size() == spdlog::level::n_levels);

std::string_view view(spdlog::string_view_t text) { return {text.data(), text.size()}; }

std::string time_of(const spdlog::details::log_msg& record) {
    const auto since_epoch = record.time.time_since_epoch();
    return to_string(timestamp{std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count()});
}

/// {"ts":…,"level":…,"module":…,"message":…}, and "request" and "trace" where they are known. Sinks work on the thread
/// that logs.
class json_formatter final : public spdlog::formatter {
public:
    void format(const spdlog::details::log_msg& record, spdlog::memory_buf_t& out) override {
        std::string line;
        json::object_writer writer(line);
        writer.field("ts", time_of(record)).field("level", level_names[record.level]);
        writer.field("module", view(record.logger_name)).field("message", view(record.payload));
        if (!request_of_thread.empty()) {
            writer.field("request", request_of_thread);
        }
        if (!trace_of_thread.empty()) {
            writer.field("trace", trace_of_thread);
        }
        writer.end();
        line += '\n';
        out.append(line.data(), line.data() + line.size());
    }
    [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
        return std::make_unique<json_formatter>();
    }
};

/// "2026-11-21T07:14:41.000Z info  storage: opened". Control characters are shown as escapes: what a stranger sent
/// can neither start a line of its own nor move the terminal's cursor.
class text_formatter final : public spdlog::formatter {
public:
    void format(const spdlog::details::log_msg& record, spdlog::memory_buf_t& out) override {
        auto line = time_of(record) + " ";
        record.color_range_start = line.size();
        line += level_names[record.level];
        record.color_range_end = line.size();
        line.append(level_names[record.level].size() < 5 ? 6 - level_names[record.level].size() : 1, ' ');
        line.append(view(record.logger_name)).append(": ");
        for (const char c : view(record.payload)) {
            const auto byte = static_cast<unsigned char>(c);
            byte < 0x20 || byte == 0x7f ? void(line += fmt::format("\\x{:02x}", byte)) : void(line += c);
        }
        if (!request_of_thread.empty()) {
            line.append(", request ").append(request_of_thread);
        }
        if (!trace_of_thread.empty() && trace_of_thread != request_of_thread) {
            line.append(", trace ").append(trace_of_thread);
        }
        line += '\n';
        out.append(line.data(), line.data() + line.size());
    }
    [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
        return std::make_unique<text_formatter>();
    }
};

/// Behind an `error_listener`. The sink that holds it has the lock.
class listening_sink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
public:
    explicit listening_sink(std::function<void(const error_line&)> hear) : hear_(std::move(hear)) {
        set_level(level::err);
    }

private:
    void sink_it_(const spdlog::details::log_msg& record) override {
        hear_({.level = level_names[record.level],
               .module = view(record.logger_name),
               .message = view(record.payload),
               .request = request_of_thread,
               .trace = trace_of_thread});
    }
    void flush_() override {}

    const std::function<void(const error_line&)> hear_;
};

std::shared_ptr<spdlog::sinks::sink> stderr_sink() {
    auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_st>();
    sink->set_formatter(std::make_unique<text_formatter>());
    return sink;
}

/// The loggers of the process, their levels and the one sink that they share. It stays until the process ends, so that
/// references to loggers always hold.
struct registry {
    std::mutex mutex; ///< Guards everything below; a logger and the shared sink are thread-safe by themselves.
    std::map<std::string, std::unique_ptr<spdlog::logger>, std::less<>> loggers;
    /// Holds the sink in use. Its lock is the only one on the way of a line, so the sinks inside have none.
    std::shared_ptr<spdlog::sinks::dist_sink_mt> shared;
    level level_of_all = spdlog::level::info;
    level_map level_of_module;
    std::vector<spdlog::sink_ptr> listeners; ///< In the shared sink, too, behind the one that writes.

    registry() : shared(std::make_shared<spdlog::sinks::dist_sink_mt>()) { shared->set_sinks({stderr_sink()}); }

    static registry& instance() {
        static auto* const only = new registry;
        return *only;
    }
    level level_for(std::string_view module) const {
        const auto found = level_of_module.find(module);
        return found == level_of_module.end() ? level_of_all : found->second;
    }
    void apply_levels() {
        for (const auto& [module, logger] : loggers) {
            logger->set_level(level_for(module));
        }
    }
};

expected<level> parse_level(std::string_view name) {
    for (std::size_t i = 0; i < level_names.size(); ++i) {
        if (level_names[i] == name && name != "critical") {
            return static_cast<level>(i);
        }
    }
    return problem{code::config_invalid,
                   "'" + std::string(name) + "' is no log level: use trace, debug, info, warn, error or off"};
}

/// "storage=debug,edge=warn" or "debug".
struct level_list {
    std::optional<level> all;
    level_map modules;
};

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(' ');
    return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

expected<level_list> parse_levels(std::string_view text) {
    level_list out;
    while (!text.empty()) {
        const auto comma = text.find(',');
        const auto item = trimmed(text.substr(0, comma));
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
        const auto equals = item.find('=');
        const auto parsed = parse_level(equals == std::string_view::npos ? item : trimmed(item.substr(equals + 1)));
        if (!parsed) {
            return parsed.error();
        }
        if (equals == std::string_view::npos) {
            out.all = *parsed;
        } else if (const auto module = trimmed(item.substr(0, equals)); !module.empty()) {
            out.modules.insert_or_assign(std::string(module), *parsed);
        } else {
            return problem{code::config_invalid, "'" + std::string(item) + "' names no module: write MODULE=LEVEL"};
        }
    }
    return out;
}

expected<std::shared_ptr<spdlog::sinks::sink>> make_sink(const log_settings& settings) {
    auto sink = stderr_sink();
    if (!settings.file.empty()) {
        try {
            sink = std::make_shared<spdlog::sinks::rotating_file_sink_st>(settings.file, settings.file_bytes_max,
                                                                          settings.files_max);
        } catch (const std::exception& e) {
            return problem{code::config_invalid, "cannot log to '" + settings.file + "': " + e.what()};
        }
    }
    if (settings.json) {
        sink->set_formatter(std::make_unique<json_formatter>());
    } else {
        sink->set_formatter(std::make_unique<text_formatter>());
    }
    return sink;
}

} // namespace

spdlog::logger& log_for(std::string_view module) {
    auto& all = registry::instance();
    const std::lock_guard lock(all.mutex);
    auto found = all.loggers.find(module);
    if (found == all.loggers.end()) {
        auto logger = std::make_unique<spdlog::logger>(std::string(module), all.shared);
        logger->set_level(all.level_for(module));
        logger->flush_on(spdlog::level::info); // a crash loses at most debug lines
        found = all.loggers.emplace(std::string(module), std::move(logger)).first;
    }
    return *found->second;
}

namespace {

/// The id in the middle of "00-<trace>-<span>-<flags>".
std::string_view trace_id_of(std::string_view traceparent) {
    return traceparent.size() >= 35 ? traceparent.substr(3, 32) : std::string_view();
}

} // namespace

log_scope::log_scope(std::string_view request, std::string_view traceparent)
    : request_before_(std::exchange(request_of_thread, request)),
      trace_before_(std::exchange(trace_of_thread, trace_id_of(traceparent))) {}

log_scope::~log_scope() {
    request_of_thread = request_before_;
    trace_of_thread = trace_before_;
}

error_listener::error_listener(std::function<void(const error_line&)> hear)
    : sink_(std::make_shared<listening_sink>(std::move(hear))) {
    auto& all = registry::instance();
    const std::lock_guard lock(all.mutex);
    all.listeners.push_back(sink_);
    all.shared->add_sink(sink_);
}

error_listener::~error_listener() {
    auto& all = registry::instance();
    const std::lock_guard lock(all.mutex);
    std::erase(all.listeners, sink_);
    all.shared->remove_sink(sink_);
}

expected<void> configure_logging(const log_settings& settings) {
    const auto all_level = parse_level(settings.level);
    if (!all_level) {
        return all_level.error();
    }
    auto levels = parse_levels(settings.modules);
    if (!levels) {
        return levels.error();
    }
    if (levels->all) {
        return problem{code::config_invalid,
                       "'" + settings.modules + "' has a level without a module: write MODULE=LEVEL"};
    }
    auto sink = make_sink(settings);
    if (!sink) {
        return sink.error();
    }
    auto& all = registry::instance();
    const std::lock_guard lock(all.mutex);
    std::vector<spdlog::sink_ptr> sinks{std::move(*sink)};
    sinks.insert(sinks.end(), all.listeners.begin(), all.listeners.end());
    all.shared->set_sinks(std::move(sinks));
    all.level_of_all = *all_level;
    all.level_of_module = std::move(levels->modules);
    all.apply_levels();
    return {};
}

expected<void> set_log_levels(std::string_view levels) {
    auto parsed = parse_levels(levels);
    if (!parsed) {
        return parsed.error();
    }
    auto& all = registry::instance();
    const std::lock_guard lock(all.mutex);
    if (parsed->all) {
        all.level_of_all = *parsed->all;
        all.level_of_module.clear();
    }
    for (const auto& [module, wanted] : parsed->modules) {
        all.level_of_module.insert_or_assign(module, wanted);
    }
    all.apply_levels();
    return {};
}

} // namespace troupe
