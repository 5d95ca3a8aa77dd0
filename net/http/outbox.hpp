#pragma once

#include "net/http/edge_socket.hpp"
#include "runtime/bus/bus.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe::net {

/// Texts on their way to one client: many clients may hold the same text, and one write takes all that wait.
class outbox {
public:
    void add(std::shared_ptr<const runtime::event_text> text) { texts_.push_back(std::move(text)); }
    void add(std::string bytes) {
        add(std::make_shared<const runtime::event_text>(runtime::event_text{{}, std::move(bytes)}));
    }
    [[nodiscard]] bool empty() const { return texts_.empty(); }

    /// Writes until all is gone, which `wants` nothing, or the socket takes no more.
    tls_step write_to(edge_socket& socket);
    void clear();

private:
    void written(std::size_t bytes);

    std::vector<std::shared_ptr<const runtime::event_text>> texts_;
    std::size_t first_ = 0;  ///< What is before it is gone,
    std::size_t offset_ = 0; ///< and so much of it.
};

} // namespace troupe::net
