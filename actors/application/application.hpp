#pragma once

#include "runtime/config/config.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

/// The whole product in one object: a node with every feature and its edge. What `troupe serve` runs, and what a
/// program that embeds a node starts.
namespace troupe::actors {

class application {
public:
    /// Opens the data directory, makes keys on the first start, hosts all features and serves. `runner` is the path of
    /// the runner program. Problems: those of the data directory, the model configuration and the edge, each with what
    /// to do.
    static expected<std::unique_ptr<application>> start(const runtime::config& settings,
                                                        const std::filesystem::path& runner);
    ~application();

    /// "http://127.0.0.1:7117"
    [[nodiscard]] std::string url() const;
    /// DIR/admin.key
    [[nodiscard]] std::filesystem::path key_file() const;
    [[nodiscard]] bool made_key() const; ///< On this start.
    [[nodiscard]] std::string model() const;
    [[nodiscard]] std::string sandbox() const;

    /// Drains the edge and the node. Work of performers stays where it is and goes on after the next start.
    void stop(std::int64_t deadline_ms);

private:
    application();
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace troupe::actors
