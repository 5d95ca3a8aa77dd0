#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace troupe {

/// SHA-256 of bytes that come in pieces. Not thread-safe.
class sha256_stream {
public:
    sha256_stream();
    ~sha256_stream();
    sha256_stream(const sha256_stream&) = delete;
    sha256_stream& operator=(const sha256_stream&) = delete;

    void add(std::string_view bytes);
    /// The hash of all that was added, as 32 raw bytes. Called once.
    std::string finish();

private:
    struct context;
    std::unique_ptr<context> context_;
};

} // namespace troupe
