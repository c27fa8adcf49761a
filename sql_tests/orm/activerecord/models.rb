# A small library: every kind of dependent:, with and without foreign keys.
require "active_record"

class Publisher < ActiveRecord::Base
  has_many :authors, dependent: :restrict_with_error
  has_many :imprints, dependent: :restrict_with_exception
end

class Imprint < ActiveRecord::Base
  belongs_to :publisher
end

class Author < ActiveRecord::Base
  belongs_to :publisher, optional: true, counter_cache: true
  has_one :bio, dependent: :destroy
  has_many :books, dependent: :destroy
  has_many :letters, dependent: :delete_all
  has_many :drafts, dependent: :nullify
  has_many :genres, through: :books
  has_many :comments, as: :commentable, dependent: :destroy
end

class Bio < ActiveRecord::Base
  belongs_to :author
end

class Book < ActiveRecord::Base # optimistic locking: lock_version
  belongs_to :author
  has_many :placements, dependent: :destroy
  has_many :shelves, through: :placements
  has_and_belongs_to_many :genres
  has_and_belongs_to_many :readers # no foreign keys
  has_many :comments, as: :commentable, dependent: :destroy
  validates :isbn, uniqueness: true
end

class Letter < ActiveRecord::Base
  belongs_to :author
end

class Draft < ActiveRecord::Base
  belongs_to :author, optional: true
end

class Shelf < ActiveRecord::Base
  has_many :placements, dependent: :destroy
  has_many :books, through: :placements
end

class Placement < ActiveRecord::Base
  belongs_to :book
  belongs_to :shelf
end

class Genre < ActiveRecord::Base
  has_and_belongs_to_many :books
end

class PlainGenre < ActiveRecord::Base # does not know of softdelete's columns
  self.table_name = "genres"
  self.ignored_columns = %w[active deletion_id]
end

class Reader < ActiveRecord::Base
  has_and_belongs_to_many :books
end

class Comment < ActiveRecord::Base
  belongs_to :commentable, polymorphic: true
end

# what hangs below is left to the database
class Loan < ActiveRecord::Base
  has_many :reminders
  has_many :fines
end

class Reminder < ActiveRecord::Base # ON DELETE CASCADE
  belongs_to :loan
end

class Fine < ActiveRecord::Base # ON DELETE SET NULL
  belongs_to :loan, optional: true
end
